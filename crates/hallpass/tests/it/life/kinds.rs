//! Every kind of revocation, through `kill -9` and until it is lifted.

use serde_json::{Value, json};

use super::Place;
use crate::support::{Answer, Run, binary};

/// What each kind names, and how the service is refused then.
fn kinds(place: &Place) -> Vec<(&'static str, Option<String>, (u16, &'static str))> {
    let key = place.service.split('_').nth(2).unwrap();
    let far = hallpass_core::Timestamp::from_second(crate::support::now() + 3600).unwrap();
    vec![
        (
            "subject",
            Some("service".to_owned()),
            (403, "access_revoked"),
        ),
        ("session", Some("i-1".to_owned()), (403, "access_revoked")),
        (
            "profile",
            Some("interview".to_owned()),
            (403, "access_revoked"),
        ),
        ("all", None, (403, "access_revoked")),
        (
            "key",
            Some(key[..12].to_owned()),
            (401, "revoked_credential"),
        ),
        ("before", Some(far.to_string()), (401, "revoked_credential")),
    ]
}

async fn mint(place: &Place) -> Answer {
    place
        .mint(&place.service, &json!({ "session_id": "i-1" }))
        .await
}

#[tokio::test]
async fn each_is_in_force_when_answered_survives_kill_9_and_is_lifted() {
    let mut place = Place::start();
    let mut living = 0;
    for (kind, target, refused) in kinds(&place) {
        let grant = mint(&place).await.json();
        let added = place.revoke(kind, target.as_deref()).await;
        assert_eq!(added.status, 201, "{kind}: {}", added.text);
        let added = added.json();
        assert_eq!(added["blocked"], true);
        assert_eq!(added["ended"], 0, "a secret of OpenAI's can't be ended");
        assert_eq!(added["revoked"], living + 1, "{kind}: {added}");
        assert!(added["unexpired_secrets"]["count"].as_u64().unwrap() >= 1);
        assert!(added["unexpired_secrets"]["until"].as_i64() >= grant["expires_at"].as_i64());
        assert_eq!(place.state(&grant).await["state"], "revoked", "{kind}");

        for restarted in [false, true] {
            if restarted {
                place.restart();
            }
            let answer = mint(&place).await;
            assert_eq!((answer.status, &*answer.code()), refused, "{kind}");
            let again = place.revoke(kind, target.as_deref()).await;
            assert_eq!(again.status, 200, "{kind}");
            assert_eq!(again.json()["id"], added["id"], "{kind}");
            assert_eq!(place.state(&grant).await["state"], "revoked", "{kind}");
        }
        let lifted = place.lift(&added["id"]).await;
        assert_eq!(lifted.status, 200, "{kind}: {}", lifted.text);
        assert_eq!(mint(&place).await.status, 201, "{kind}");
        living = 1;
    }
}

fn revocations(place: &Place, arguments: &[&str]) -> Run {
    let mut command = binary();
    command
        .arg("revocations")
        .args(arguments)
        .env("HALLPASS_URL", place.serve.admin_url(""))
        .env("HALLPASS_ADMIN_KEY", &place.operator);
    Run::of(command, "")
}

#[tokio::test]
async fn the_operator_adds_lists_and_lifts() {
    let place = Place::start();
    let user = place.site.token("user-42", 600);
    let bystander = place.site.token("user-43", 600);
    place.mint(&user, &json!({})).await.json();
    let add = ["add", "--subject", "user-42", "--reason", "laptop stolen"];
    let said = revocations(&place, &add).done();
    assert!(said.contains("Grants revoked: 1"), "{said}");
    assert!(said.contains("Beyond recall: 1 secrets"), "{said}");
    assert_eq!(place.mint(&user, &json!({})).await.status, 403);
    assert_eq!(place.mint(&bystander, &json!({})).await.status, 201);

    let listed = revocations(&place, &["list", "--json"]).json_lines();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["target"], "user-42");
    assert_eq!(listed[0]["created_by"], "operator");
    let id = listed[0]["id"].as_str().unwrap();
    revocations(&place, &["lift", id]).done();
    assert_eq!(place.mint(&user, &json!({})).await.status, 201);
    let none: Vec<Value> = revocations(&place, &["list", "--json"]).json_lines();
    assert!(none.is_empty());
    let history = revocations(&place, &["list", "--lifted", "--json"]).json_lines();
    assert_eq!(history[0]["lifted_by"], "operator");
    assert_eq!(revocations(&place, &["add"]).code, 2, "of what?");
}
