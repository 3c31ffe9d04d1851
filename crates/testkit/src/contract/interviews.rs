//! The contract of [`Interviews`].

use std::sync::Arc;

use hallpass_core::{
    ids::{ProfileName, SessionId, Subject},
    interview::{Interview, InterviewFilter, Interviews, Registration, Reserved},
};

use crate::clock::moment;

/// Every check, as a test of its own, on what `$fresh` makes: no interviews
/// behind an `Arc`, and whatever must live as long.
#[macro_export]
macro_rules! interviews_contract {
    ($fresh:path) => {
        $crate::checks!(
            interviews,
            $fresh,
            a_registered_interview_is_found_whole,
            an_id_is_registered_once,
            grants_are_counted_up_to_the_limit_and_no_further,
            many_who_count_at_once_go_no_further,
            one_that_is_over_takes_no_grant,
            the_first_end_stays,
            interviews_are_listed_newest_first_and_by_subject,
        );
    };
}

/// An interview that tests register: from second `number` of 2027 on, for an hour.
#[must_use]
pub fn interview(number: u8, max_grants: Option<u32>) -> Interview {
    let start = 1_800_000_000 + i64::from(number);
    Interview {
        session_id: SessionId::new(format!("interview-{number}")).unwrap(),
        subject: Subject::new("user-1").unwrap(),
        profile: Some(ProfileName::new("interview").unwrap()),
        expires_at: moment(start + 3600),
        max_grants,
        registered_by: Subject::new("backend").unwrap(),
        registered_at: moment(start),
        ended_at: None,
    }
}

async fn reserve(interviews: &dyn Interviews, interview: &Interview) -> Reserved {
    let now = moment(1_800_000_100);
    let reserved = interviews.reserve(&interview.session_id, now).await;
    reserved.unwrap()
}

async fn issued(interviews: &dyn Interviews, interview: &Interview) -> u32 {
    let found = interviews.find(&interview.session_id).await.unwrap();
    found.unwrap().issued
}

/// No member is lost.
pub async fn a_registered_interview_is_found_whole(interviews: &Arc<dyn Interviews>) {
    let full = interview(1, Some(3));
    let bare = Interview {
        profile: None,
        ..interview(2, None)
    };
    for made in [full, bare] {
        let registered = interviews.register(&made).await.unwrap();
        assert_eq!(registered, Registration::New);
        let found = interviews.find(&made.session_id).await.unwrap().unwrap();
        assert_eq!((found.interview, found.issued), (made, 0));
    }
    let none = SessionId::new("unknown").unwrap();
    assert_eq!(interviews.find(&none).await.unwrap(), None);
}

/// The same again is known, another of the same id is refused.
pub async fn an_id_is_registered_once(interviews: &Arc<dyn Interviews>) {
    let made = interview(1, Some(3));
    interviews.register(&made).await.unwrap();
    let again = interviews.register(&made).await.unwrap();
    assert!(matches!(again, Registration::Known(known) if known.interview == made));
    let other = Interview {
        subject: Subject::new("user-2").unwrap(),
        ..made
    };
    let taken = interviews.register(&other).await.unwrap();
    assert_eq!(taken, Registration::Taken);
}

/// As many are counted as there may be; one that goes back makes room.
pub async fn grants_are_counted_up_to_the_limit_and_no_further(interviews: &Arc<dyn Interviews>) {
    let made = interview(1, Some(2));
    interviews.register(&made).await.unwrap();
    assert_eq!(reserve(&**interviews, &made).await, Reserved::Taken);
    assert_eq!(reserve(&**interviews, &made).await, Reserved::Taken);
    assert_eq!(reserve(&**interviews, &made).await, Reserved::Exhausted);
    interviews.release(&made.session_id);
    // Releasing is not waited for.
    while issued(&**interviews, &made).await == 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(reserve(&**interviews, &made).await, Reserved::Taken);
    assert_eq!(reserve(&**interviews, &made).await, Reserved::Exhausted);
}

/// Whoever counts at the same time as others finds no room that is not there.
pub async fn many_who_count_at_once_go_no_further(interviews: &Arc<dyn Interviews>) {
    let made = interview(1, Some(5));
    interviews.register(&made).await.unwrap();
    let many: Vec<_> = (0..20)
        .map(|_| {
            let (interviews, made) = (interviews.clone(), made.clone());
            tokio::spawn(async move { reserve(&*interviews, &made).await })
        })
        .collect();
    let mut taken = 0;
    for one in many {
        taken += u32::from(one.await.unwrap() == Reserved::Taken);
    }
    assert_eq!((taken, issued(&**interviews, &made).await), (5, 5));
}

/// Neither one that ended, nor one whose time is over, nor an unknown one.
pub async fn one_that_is_over_takes_no_grant(interviews: &Arc<dyn Interviews>) {
    let (ended, late) = (interview(1, None), interview(2, None));
    for made in [&ended, &late] {
        interviews.register(made).await.unwrap();
    }
    let open = interviews.is_open(&ended.session_id, moment(1_800_000_100));
    assert!(open.await.unwrap());
    let at = moment(1_800_000_050);
    interviews.end(&ended.session_id, at).await.unwrap();
    let open = interviews.is_open(&ended.session_id, moment(1_800_000_100));
    assert!(!open.await.unwrap());
    assert_eq!(reserve(&**interviews, &ended).await, Reserved::Over);
    let over = interviews.reserve(&late.session_id, late.expires_at).await;
    assert_eq!(over.unwrap(), Reserved::Over);
    let unknown = interview(9, None);
    assert_eq!(reserve(&**interviews, &unknown).await, Reserved::Over);
}

/// Ending twice changes nothing; ending what is not there finds nothing.
pub async fn the_first_end_stays(interviews: &Arc<dyn Interviews>) {
    let made = interview(1, None);
    interviews.register(&made).await.unwrap();
    reserve(&**interviews, &made).await;
    let first = moment(1_800_000_200);
    for at in [first, moment(1_800_000_300)] {
        let ended = interviews.end(&made.session_id, at).await.unwrap().unwrap();
        assert_eq!(ended.interview.ended_at, Some(first));
    }
    let none = SessionId::new("unknown").unwrap();
    assert_eq!(interviews.end(&none, first).await.unwrap(), None);
}

/// Newest first, page by page, and one subject's alone.
pub async fn interviews_are_listed_newest_first_and_by_subject(interviews: &Arc<dyn Interviews>) {
    let other = Interview {
        subject: Subject::new("user-2").unwrap(),
        ..interview(2, None)
    };
    for made in [&interview(1, None), &other, &interview(3, None)] {
        interviews.register(made).await.unwrap();
    }
    let listed = |filter: InterviewFilter| async move {
        let page = interviews.list(&filter).await.unwrap();
        let ids = page.iter().map(|it| it.interview.session_id.to_string());
        ids.collect::<Vec<_>>()
    };
    let all = InterviewFilter {
        limit: 10,
        ..InterviewFilter::default()
    };
    let ids = listed(all.clone()).await;
    assert_eq!(ids, ["interview-3", "interview-2", "interview-1"]);
    let theirs = InterviewFilter {
        subject: Some(other.subject.clone()),
        ..all.clone()
    };
    assert_eq!(listed(theirs).await, ["interview-2"]);
    let after = InterviewFilter {
        before: Some((other.registered_at, other.session_id.clone())),
        ..all
    };
    assert_eq!(listed(after).await, ["interview-1"]);
}
