//! Responses: begun, moved on, cancelled, finished.

use serde_json::{Value, json};

use super::{Engine, Event, Outcomes, object};
use crate::{
    effective,
    error::ApiError,
    fault::{Fault, Route},
    realtime::{
        conversation::Item,
        reply::compose,
        response::{Outcome, Response},
        settings::Settings,
        usage::Usage,
    },
    schema,
};

impl Engine {
    pub(super) fn create_response(&mut self, event: &Event) -> Outcomes {
        if effective::is_transcription(&self.session) {
            let message = "A transcription session does not create responses.";
            return Err(ApiError::bad_request("invalid_event", message));
        }
        let empty = json!({});
        let wanted = event
            .get("response")
            .filter(|it| !it.is_null())
            .unwrap_or(&empty);
        schema::check(schema::RESPONSE, wanted, "response")?;
        let settings = Settings::new(&self.session, &object(wanted));
        if let (Some(active), true) = (&self.response, settings.in_conversation) {
            return Err(already_active(&active.id));
        }
        if self.response.is_some() {
            // Responses beside the conversation may overlap on OpenAI's side;
            // here the earlier one is finished first.
            self.drain();
        }
        self.begin(settings);
        Ok(())
    }

    fn begin(&mut self, settings: Settings) {
        let given: Option<Vec<_>> = settings.input.as_ref().map(|items| {
            items
                .iter()
                .map(|item| Item::new(object(item), "", 0))
                .collect()
        });
        let items = given.as_deref().unwrap_or(self.conversation.items());
        let usage = Usage::of_input(&settings, items, self.last_input);
        let asked = match &given {
            Some(items) => items.last(),
            None => self.conversation.last_of_user(),
        };
        let reply = compose(&settings, items, asked);
        self.last_input = usage.input_text;
        let fault = self.core.faults.strike(Route::Response, &self.core.ids);
        let usage = if fault.is_some() {
            Usage::default()
        } else {
            usage
        };
        let response =
            Response::start(&mut self.out, &self.conversation_id, settings, reply, usage);
        match fault {
            Some(fault) => self.finish(response, &failure(&fault)),
            None => self.response = Some(response),
        }
        if self.core.config.response_pace.is_zero() {
            self.drain();
        }
    }

    fn drain(&mut self) {
        while self.response.is_some() {
            self.step();
        }
    }

    pub(super) fn cancel_response(&mut self, event: &Event) -> Outcomes {
        let wanted = event.get("response_id").and_then(Value::as_str);
        let active = self.response.take();
        match active {
            Some(response) if wanted.is_none_or(|id| id == response.id) => {
                self.finish(response, &Outcome::Cancelled);
                Ok(())
            }
            other => {
                self.response = other;
                let message = "Cancellation failed: no active response found";
                Err(ApiError::bad_request("response_cancel_not_active", message))
            }
        }
    }

    pub(super) fn finish(&mut self, response: Response, outcome: &Outcome) {
        let (item, usage) = response.finish(&mut self.out, outcome);
        if let Some(item) = item {
            // A full conversation only means the reply is not remembered.
            let _ = self.conversation.insert(item, None);
        }
        self.tally.responses += 1;
        self.tally.input_tokens += usage.input();
        self.tally.output_tokens += usage.output();
        self.changed = true;
        self.report_limits();
    }

    fn report_limits(&mut self) {
        let used = self.tally.input_tokens + self.tally.output_tokens;
        let limit: u64 = 15_000_000;
        let remaining = limit.saturating_sub(used);
        let tokens = json!({"name": "tokens", "limit": limit, "remaining": remaining, "reset_seconds": 0.001});
        self.out
            .emit("rate_limits.updated", json!({"rate_limits": [tokens]}));
    }
}

fn already_active(id: &str) -> ApiError {
    let message = format!(
        "Conversation already has an active response in progress: {id}. Wait until the response \
         is finished before creating a new one."
    );
    ApiError::bad_request("conversation_already_has_active_response", message)
}

/// A failed response, from the error in the fault's body or of its status.
fn failure(fault: &Fault) -> Outcome {
    let given = fault
        .body
        .as_ref()
        .and_then(|body| serde_json::from_slice::<Value>(body).ok());
    let envelope = given.unwrap_or_else(|| ApiError::of_status(fault.http_status()).envelope());
    let error = envelope.get("error").unwrap_or(&envelope);
    let member = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
    Outcome::Failed {
        kind: member("type").to_owned(),
        code: error.get("code").cloned().unwrap_or(Value::Null),
        message: member("message").to_owned(),
    }
}
