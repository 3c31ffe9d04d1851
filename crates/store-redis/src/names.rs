//! The names of keys: what version, whose, and what.
//!
//! What stands in braces decides the server of a cluster, so all that one
//! script touches has the same. A subject may hold braces itself; only the
//! first opening and the next closing one count, so they are written as others.

/// The version of all names.
const VERSION: &str = "hp1";

/// What belongs together: the part in braces.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Tag(String);

impl Tag {
    /// A caller.
    pub(crate) fn caller(subject: &str) -> Self {
        Self(format!("c:{}", plain(subject)))
    }

    /// A pass, by its grant.
    pub(crate) fn pass(grant: &str) -> Self {
        Self(format!("w:{}", plain(grant)))
    }

    /// A replica.
    pub(crate) fn replica(id: &str) -> Self {
        Self(format!("r:{}", plain(id)))
    }

    /// A revocation.
    pub(crate) fn revocation(id: &str) -> Self {
        Self(format!("v:{}", plain(id)))
    }

    /// What all replicas read.
    pub(crate) fn feed() -> Self {
        Self("feed".to_owned())
    }

    /// Whom a limit's key belongs to: `caller-minute:<subject>` to the caller,
    /// `profile-minute:<profile>` to the profile, any other to all.
    pub(crate) fn of_limit(key: &str) -> Self {
        let (limit, whose) = key.split_once(':').unwrap_or((key, ""));
        match limit.split_once('-').map_or(limit, |(kind, _)| kind) {
            "caller" => Self::caller(whose),
            "profile" => Self(format!("p:{}", plain(whose))),
            "global" => Self("g".to_owned()),
            _ => Self(format!("o:{}", plain(key))),
        }
    }

    /// The name of a limit's count.
    pub(crate) fn limit(key: &str) -> String {
        let tag = Self::of_limit(key);
        match key.split_once(':') {
            // Whose it is stands in the braces.
            Some((limit, _)) if tag.0 != "g" => tag.name(&format!("q:{limit}")),
            _ => tag.name(&format!("q:{}", plain(key))),
        }
    }

    /// The name of something of it.
    pub(crate) fn name(&self, what: &str) -> String {
        format!("{VERSION}:{{{}}}:{what}", self.0)
    }
}

/// Braces would move a name to another server, and two subjects to one name
/// where they were left out; so they are escaped, and the escape is too.
fn plain(text: &str) -> String {
    if !text.contains(['{', '}', '%']) {
        return text.to_owned();
    }
    text.replace('%', "%25")
        .replace('{', "%7B")
        .replace('}', "%7D")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_one_caller_share_a_tag_and_others_have_their_own() {
        let minute = Tag::of_limit("caller-minute:user-1");
        assert_eq!(minute, Tag::of_limit("caller-day:user-1"));
        assert_eq!(minute, Tag::caller("user-1"));
        assert_ne!(minute, Tag::of_limit("caller-minute:user-2"));
        assert_ne!(minute, Tag::of_limit("profile-minute:user-1"));
        assert_eq!(Tag::limit("global-minute"), "hp1:{g}:q:global-minute");
        assert_eq!(Tag::limit("caller-day:a:b"), "hp1:{c:a:b}:q:caller-day");
    }

    #[test]
    fn no_subject_gets_anothers_name_or_another_tag() {
        let odd = ["a", "{a}", "a}", "%7Ba%7D", "a}:{b", "{"];
        let names: std::collections::HashSet<_> =
            odd.iter().map(|text| Tag::caller(text).name("x")).collect();
        assert_eq!(names.len(), odd.len());
        for name in names {
            assert_eq!(name.matches('{').count(), 1, "{name}");
            assert_eq!(name.matches('}').count(), 1, "{name}");
        }
    }
}
