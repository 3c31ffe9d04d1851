//! What can't be connected to is told, without the address's password.

use std::time::Duration;

use hallpass_store_redis::LinkTimes;
use hallpass_testkit::redis::RedisServer;

use crate::support::told_link;

#[tokio::test]
async fn a_password_is_sent_and_never_told() {
    let password = ["let", "me", "in"].concat();
    let server = RedisServer::start_with(&["--requirepass", &password]).await;
    let at = server.address();
    let (link, told) = told_link(&format!("redis://:{password}@{at}"), LinkTimes::default());
    assert!(link.connect().await, "{:?}", told.all());

    let wrong = format!("{password}-not");
    let (link, told) = told_link(&format!("redis://:{wrong}@{at}"), LinkTimes::default());
    assert!(!link.connect().await);
    assert_eq!(told.all().len(), 1);
    assert!(!told.all()[0].contains(&password), "{:?}", told.all());
}

#[tokio::test]
async fn nobody_there_is_told_once_and_within_its_bound() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let times = LinkTimes {
        command: Duration::from_millis(50),
        connect: Duration::from_millis(200),
    };
    // It listens and never answers.
    let (link, told) = told_link(&format!("redis://{}", free.local_addr().unwrap()), times);
    assert!(!link.connect().await);
    assert!(!link.connect().await);
    assert_eq!(told.all().len(), 1, "{:?}", told.all());
}
