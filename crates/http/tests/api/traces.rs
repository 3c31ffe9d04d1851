//! A request that is a part of a trace is an example of its duration.

use crate::service::{Service, empty, get};

#[tokio::test]
async fn a_trace_its_sender_keeps_is_an_exemplar_and_no_other_is() {
    let service = Service::new();
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    for (traceparent, shown) in [
        (format!("00-{trace}-00f067aa0ba902b7-00"), false),
        (format!("00-{trace}\"}} 1-00f067aa0ba902b7-01"), false),
        (format!("00-{trace}-00f067aa0ba902b7-01"), true),
    ] {
        let request = get("/livez").header("traceparent", &traceparent);
        assert_eq!(service.ask(empty(request)).await.status, 200);
        let page = service.ask_admin(empty(get("/metrics"))).await.text();
        let exemplar = format!("# {{trace_id=\"{trace}\"}}");
        assert_eq!(page.contains(&exemplar), shown, "{traceparent}");
    }
}
