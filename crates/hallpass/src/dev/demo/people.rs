//! The demo's candidates, and the session the app would have given them.

use axum::http::{HeaderMap, header};
use hallpass_auth::session::seal_next_auth_v4;
use hallpass_core::ports::Ids;
use secrecy::SecretString;
use serde::Serialize;
use serde_json::json;

use super::super::settings::{COOKIE, DEMO_ROLE};
use crate::{
    cli::Stop,
    wiring::clock::{self, SystemIds},
};

/// Tells the demo's own routes who is signed in; no server trusts it.
const NAME_COOKIE: &str = "hallpass-demo-person";
/// How long a sign-in lasts, in seconds.
const LIFE: i64 = 86_400;

/// Someone to be.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Person {
    /// The subject of the session.
    pub(super) id: &'static str,
    /// The name to show.
    pub(super) name: &'static str,
    about: &'static str,
}

/// Whom the demo signs in.
pub(super) const PEOPLE: [Person; 3] = [
    Person {
        id: "demo-ada",
        name: "Ada",
        about: "applies for compiler engineer",
    },
    Person {
        id: "demo-kofi",
        name: "Kofi",
        about: "applies for reliability engineer",
    },
    Person {
        id: "demo-mei",
        name: "Mei",
        about: "applies for product designer",
    },
];

impl Person {
    /// The candidate of an id.
    pub(super) fn of_id(id: &str) -> Option<Self> {
        PEOPLE.into_iter().find(|person| person.id == id)
    }

    /// The session as NextAuth v4 would set it, and the name beside it. No
    /// script can read either.
    pub(super) fn cookies(self, secret: &SecretString) -> Result<[String; 2], Stop> {
        let now = clock::now().as_second();
        let claims = json!({
            "name": self.name, "sub": self.id, "roles": [DEMO_ROLE],
            "iat": now, "exp": now + LIFE, "jti": uuid::Uuid::now_v7(),
        });
        let mut iv = [0; 12];
        SystemIds.fill(&mut iv);
        let session = seal_next_auth_v4(secret, &claims, iv)?;
        Ok([
            set(COOKIE, &session, "/", LIFE),
            set(NAME_COOKIE, self.id, "/demo/", LIFE),
        ])
    }
}

/// Takes both cookies away.
pub(super) fn no_cookies() -> [String; 2] {
    [set(COOKIE, "", "/", 0), set(NAME_COOKIE, "", "/demo/", 0)]
}

/// Who is signed in, by what the browser sends.
pub(super) fn signed_in(headers: &HeaderMap) -> Option<Person> {
    let sent = headers.get_all(header::COOKIE).into_iter();
    let pairs = sent.filter_map(|value| value.to_str().ok());
    pairs
        .flat_map(|line| line.split("; "))
        .filter_map(|pair| pair.split_once('='))
        .find(|(name, _)| *name == NAME_COOKIE)
        .and_then(|(_, id)| Person::of_id(id))
}

fn set(name: &str, value: &str, path: &str, life: i64) -> String {
    format!("{name}={value}; Path={path}; Max-Age={life}; HttpOnly; SameSite=Strict")
}
