//! Alerts in the console: seen as they begin, and looked after.

use serde_json::{Value, json};

use super::{Place, events::Stream};

#[tokio::test]
async fn an_alert_is_seen_as_it_begins_and_somebody_looks_after_it() {
    let place = Place::start();
    let signed = place.sign_in(&place.operator).await;
    let mut stream = Stream::open(&signed, "/console/events?view=alerts").await;
    let none = stream.until(|_| true).await;
    assert_eq!(none["tables"][0]["rows"], json!([]));
    let ada = place.site.token("ada", 600);
    for _ in 0..12 {
        assert_eq!(place.mint_as(&ada, &json!({})).await.status, 201);
    }
    let is_it = |row: &&Value| row["cells"][2]["text"] == "tokens_per_user";
    let row_of = |view: &Value| {
        let rows = view["tables"][0]["rows"].as_array().unwrap();
        rows.iter().find(is_it).cloned()
    };
    let view = stream.until(|view| row_of(view).is_some()).await;
    let row = row_of(&view).unwrap();
    let summary = row["cells"][0]["text"].as_str().unwrap();
    assert!(summary.starts_with("ada obtained "), "{summary}");
    let overview = signed.get("/console/").await.text;
    assert!(overview.contains(summary), "{overview}");

    let action = row["action"].as_str().unwrap();
    let seen = signed.post(action, &[("reason", "asked the team")]).await;
    assert_eq!(seen.header("location"), "/console/alerts?seen=1");
    let view = stream
        .until(|view| row_of(view).is_some_and(|row| row["cells"][5]["text"] == "operator"))
        .await;
    let row = row_of(&view).unwrap();
    assert_eq!(row["cells"][5]["whole"], "asked the team");
    assert_eq!(row.get("action"), None, "nobody else has to");
    let records = place.site.trail().all();
    let record = records.iter().find(|it| it.action() == "alert.acknowledge");
    assert_eq!(record.unwrap().fact("note"), "asked the team");
    assert_eq!(
        signed
            .post("/console/alerts/none/acknowledge", &[])
            .await
            .status,
        404
    );
}
