use serde_json::{Value, json};

use super::*;

fn meter(model: &str, transcriber: &str) -> Meter {
    let prices = Arc::new(Prices::new([]).unwrap());
    Meter::new(prices, model, Some(transcriber))
}

fn read(meter: &Meter, event: &Value) -> Usage {
    meter
        .read(Some(event.to_string().as_bytes()))
        .unwrap()
        .usage
}

fn done(usage: &Value) -> Value {
    json!({"type": "response.done", "response": {"status": "completed", "usage": usage}})
}

/// What OpenAI's reference shows of a spoken response.
fn spoken() -> Value {
    json!({
        "total_tokens": 253, "input_tokens": 132, "output_tokens": 121,
        "input_token_details": {"text_tokens": 119, "audio_tokens": 13, "image_tokens": 0, "cached_tokens": 64,
            "cached_tokens_details": {"text_tokens": 64, "audio_tokens": 0, "image_tokens": 0}},
        "output_token_details": {"text_tokens": 30, "audio_tokens": 91},
    })
}

#[test]
fn a_response_costs_what_the_sum_of_its_kinds_does() {
    let usage = read(&meter("gpt-realtime-2.1", "-"), &done(&spoken()));
    // (119-64)*4 + 64*0.4 + 13*32 + 30*24 + 91*64, in millionths of a dollar.
    let millionths = 55.0 * 4.0 + 64.0 * 0.4 + 13.0 * 32.0 + 30.0 * 24.0 + 91.0 * 64.0;
    assert_eq!(usage.cost, NanoUsd::from_dollars(millionths / 1e6).unwrap());
    assert_eq!((usage.responses, usage.unpriced), (1, 0));
    assert_eq!((usage.tokens.input(), usage.tokens.output()), (132, 121));
}

#[test]
fn a_cancelled_or_failed_response_is_counted_too() {
    for status in ["cancelled", "failed", "incomplete"] {
        let mut event = done(&spoken());
        event["response"]["status"] = status.into();
        let usage = read(&meter("gpt-realtime-2.1", "-"), &event);
        assert!(usage.cost > NanoUsd::ZERO, "{status}");
    }
}

#[test]
fn unknown_is_not_zero() {
    let meter = meter("gpt-realtime-2.1", "-");
    for event in [
        done(&Value::Null),
        json!({"type": "response.done"}),
        done(&json!({})),
    ] {
        let usage = read(&meter, &event);
        assert_eq!((usage.responses, usage.unpriced), (1, 1), "{event}");
    }
    assert_eq!(meter.read(Some(b"no json")).unwrap().usage.unpriced, 1);
    assert_eq!(
        meter.read(None).unwrap().usage.unpriced,
        1,
        "too long to be copied"
    );
    let unheard_of = super::tests::meter("gpt-unheard-of", "-");
    let usage = read(&unheard_of, &done(&spoken()));
    assert_eq!(
        (usage.tokens.input(), usage.unpriced, usage.cost),
        (132, 1, NanoUsd::ZERO)
    );
}

#[test]
fn sums_without_details_are_text() {
    let usage = read(
        &meter("gpt-realtime", "-"),
        &done(&json!({"input_tokens": 10, "output_tokens": 5})),
    );
    assert_eq!((usage.tokens.input_text, usage.tokens.output_text), (10, 5));
    assert_eq!(usage.cost, NanoUsd(10 * 4_000 + 5 * 16_000));
}

#[test]
fn a_transcription_is_billed_under_its_own_model() {
    let event = json!({"type": "conversation.item.input_audio_transcription.completed",
        "usage": {"type": "duration", "seconds": 1.5}});
    let reading = meter("gpt-realtime-2.1", "gpt-live-transcribe")
        .read(Some(event.to_string().as_bytes()))
        .unwrap();
    assert_eq!(reading.model, "gpt-live-transcribe");
    assert_eq!(reading.usage.transcribed_ms, 1500);
    assert_eq!(reading.usage.cost, NanoUsd(425_000));
    let event = json!({"type": "conversation.item.input_audio_transcription.completed",
        "usage": {"type": "tokens", "input_tokens": 13, "input_token_details": {"audio_tokens": 13, "text_tokens": 0}, "output_tokens": 9}});
    let usage = read(&meter("gpt-realtime-2.1", "gpt-4o-mini-transcribe"), &event);
    assert_eq!(
        (
            usage.tokens.input_audio,
            usage.tokens.output_text,
            usage.unpriced
        ),
        (13, 9, 1)
    );
}

#[test]
fn the_operators_price_goes_first_and_a_dated_model_has_its_familys() {
    let own = Price {
        text_in: Some(1.0),
        text_out: Some(1.0),
        ..Price::default()
    };
    let prices = Prices::new([("gpt-realtime".to_owned(), own)]).unwrap();
    assert!(prices.of("gpt-realtime-2025-08-28").is_some());
    assert!(prices.of("gpt-realtime-2025-08-xx").is_none());
    let meter = Meter::new(Arc::new(prices), "gpt-realtime", None);
    let usage = read(
        &meter,
        &done(&json!({"input_tokens": 10, "output_tokens": 5})),
    );
    assert_eq!(usage.cost, NanoUsd(15_000));
    let audio = json!({"output_token_details": {"audio_tokens": 1}});
    assert_eq!(
        read(&meter, &done(&audio)).unpriced,
        1,
        "audio has no price there"
    );
    let negative = Price {
        text_in: Some(-1.0),
        ..Price::default()
    };
    assert!(Prices::new([("m".to_owned(), negative)]).is_err());
}

#[test]
fn the_shipped_table_is_dated_and_prices_what_is_offered() {
    let prices = Prices::new([]).unwrap();
    assert_eq!(prices.as_of().len(), 10);
    for model in [
        "gpt-realtime-2.1",
        "gpt-realtime-2.1-mini",
        "gpt-live-transcribe",
    ] {
        assert!(prices.of(model).is_some(), "{model}");
    }
}
