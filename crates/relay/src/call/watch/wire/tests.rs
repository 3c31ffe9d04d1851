use std::{collections::VecDeque, sync::Mutex};

use async_trait::async_trait;
use hallpass_core::{
    call::{CallOrder, HangUpError, MadeCall},
    ports::MintFailure,
};

use super::*;

/// What OpenAI answers one attempt after the other; the last one stays.
struct Script {
    answers: Mutex<VecDeque<Answer>>,
    attempts: Mutex<u32>,
}

#[derive(Clone)]
enum Answer {
    Fails(ListenError),
    /// A sideband that hears these, and then nothing.
    Hears(Vec<Heard>),
}

struct Ear(VecDeque<Heard>);

#[async_trait]
impl Sideband for Ear {
    async fn hear(&mut self) -> Heard {
        match self.0.pop_front() {
            Some(heard) => heard,
            None => std::future::pending().await,
        }
    }

    async fn say(&mut self, _: &str) -> bool {
        true
    }
}

#[async_trait]
impl CallMaker for Script {
    async fn make(&self, _: CallOrder) -> Result<MadeCall, Box<MintFailure>> {
        panic!("the wire makes no calls")
    }

    async fn listen(&self, _: &CallPlace) -> Result<Box<dyn Sideband>, ListenError> {
        *self.attempts.lock().unwrap() += 1;
        let mut answers = self.answers.lock().unwrap();
        let answer = match answers.len() {
            1 => answers.front().cloned(),
            _ => answers.pop_front(),
        };
        match answer.unwrap() {
            Answer::Fails(error) => Err(error),
            Answer::Hears(heard) => Ok(Box::new(Ear(heard.into()))),
        }
    }

    async fn hang_up(&self, _: &CallPlace) -> Result<(), HangUpError> {
        panic!("the wire hangs nothing up")
    }
}

fn wire(answers: impl IntoIterator<Item = Answer>) -> (Wire, Arc<Script>) {
    let script = Arc::new(Script {
        answers: Mutex::new(answers.into_iter().collect()),
        attempts: Mutex::new(0),
    });
    let place = CallPlace {
        call_id: "rtc_1".to_owned(),
        upstream: "openai".into(),
        key: "00".into(),
    };
    (
        Wire::new(place, script.clone(), Patience::default()),
        script,
    )
}

fn no_call() -> Answer {
    Answer::Fails(ListenError::NoCall)
}

fn event() -> Heard {
    Heard::Event("{}".to_owned())
}

async fn over(wire: &mut Wire) -> EndReason {
    loop {
        if let Next::Over(reason) = wire.next().await {
            return reason;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn it_waits_until_the_browser_has_connected() {
    let (mut wire, script) = wire([no_call(), no_call(), Answer::Hears(vec![event()])]);
    assert!(matches!(wire.next().await, Next::Attached));
    assert!(matches!(wire.next().await, Next::Heard(heard) if heard == event()));
    assert_eq!(*script.attempts.lock().unwrap(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_browser_that_never_connects_is_given_up() {
    let (mut wire, script) = wire([no_call()]);
    let began = Instant::now();
    assert_eq!(over(&mut wire).await, EndReason::ClientLost);
    assert_eq!(began.elapsed(), Patience::default().connect);
    let attempts = *script.attempts.lock().unwrap();
    assert!(
        (10..30).contains(&attempts),
        "{attempts}: patient, and not more"
    );
}

#[tokio::test(start_paused = true)]
async fn a_sideband_that_drops_is_attached_again() {
    let refused = Answer::Fails(ListenError::Unreachable("status 503".to_owned()));
    let (mut wire, _) = wire([
        Answer::Hears(vec![Heard::Closed { code: 1011 }]),
        refused,
        Answer::Hears(vec![]),
    ]);
    assert!(matches!(wire.next().await, Next::Attached));
    assert!(matches!(
        wire.next().await,
        Next::Heard(Heard::Closed { .. })
    ));
    assert!(matches!(wire.next().await, Next::Attached));
    assert_eq!(wire.attachments(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_can_not_be_watched_any_more_is_given_up() {
    let refused = Answer::Fails(ListenError::Refused(401));
    let (mut wire, _) = wire([Answer::Hears(vec![Heard::Lost]), refused]);
    let began = Instant::now();
    assert_eq!(over(&mut wire).await, EndReason::UpstreamLost);
    assert_eq!(began.elapsed(), Patience::default().blind);
}

#[tokio::test(start_paused = true)]
async fn a_browser_that_left_in_silence_is_noticed() {
    let (mut wire, script) = wire([Answer::Hears(vec![]), Answer::Hears(vec![]), no_call()]);
    let began = Instant::now();
    assert_eq!(over(&mut wire).await, EndReason::UpstreamClosed);
    assert_eq!(began.elapsed(), Patience::default().probe * 2);
    assert_eq!(*script.attempts.lock().unwrap(), 3);
    assert_eq!(wire.attachments(), 1, "a probe is no new attachment");
}

#[tokio::test(start_paused = true)]
async fn a_call_of_a_process_that_died_is_over_where_openai_does_not_know_it() {
    let (mut wire, script) = wire([no_call()]);
    wire.look_again(Patience::default().connect);
    assert_eq!(over(&mut wire).await, EndReason::UpstreamClosed);
    assert_eq!(*script.attempts.lock().unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_browser_whose_server_died_may_still_connect_in_what_is_left_of_its_time() {
    let (mut wire, _) = wire([no_call()]);
    let age = Duration::from_secs(20);
    wire.look_again(age);
    let began = Instant::now();
    assert_eq!(over(&mut wire).await, EndReason::ClientLost);
    assert_eq!(began.elapsed(), Patience::default().connect - age);
}
