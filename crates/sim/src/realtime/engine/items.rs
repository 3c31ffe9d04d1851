//! Items of the conversation.

use serde_json::{Value, json};

use super::{Engine, Event, Outcomes, number, object, text};
use crate::{error::ApiError, realtime::conversation::Item, schema};

impl Engine {
    pub(super) fn create_item(&mut self, event: &Event) -> Outcomes {
        let item = event
            .get("item")
            .ok_or_else(|| ApiError::missing_parameter("item"))?;
        schema::check(schema::ITEM, item, "item")?;
        let kind = item
            .get("type")
            .ok_or_else(|| ApiError::missing_parameter("item.type"))?;
        let needed: &[&str] = match kind.as_str() {
            Some("message") => &["role", "content"],
            Some("function_call") => &["name", "arguments"],
            _ => &["call_id", "output"],
        };
        if let Some(missing) = needed.iter().find(|name| item.get(**name).is_none()) {
            return Err(ApiError::missing_parameter(&format!("item.{missing}")));
        }
        let mut members = object(item);
        members.retain(|_, value| !value.is_null());
        let item = Item::new(members, &self.out.id("item_"), 0);
        self.add(item, event.get("previous_item_id").and_then(Value::as_str))
    }

    pub(super) fn add(&mut self, item: Item, after: Option<&str>) -> Outcomes {
        let members = item.members.clone();
        let previous = self.conversation.insert(item, after)?;
        let event = json!({"previous_item_id": previous, "item": members});
        self.out.emit("conversation.item.added", event.clone());
        self.out.emit("conversation.item.done", event);
        Ok(())
    }

    pub(super) fn retrieve_item(&mut self, event: &Event) -> Outcomes {
        let id = text(event, "item_id")?;
        let found = self.conversation.find(id);
        let found =
            found.ok_or_else(|| no_item("retrieving", "item_retrieve_invalid_item_id", id))?;
        let members = json!({"item": found.members});
        self.out.emit("conversation.item.retrieved", members);
        Ok(())
    }

    pub(super) fn delete_item(&mut self, event: &Event) -> Outcomes {
        let id = text(event, "item_id")?;
        if !self.conversation.remove(id) {
            return Err(no_item("deleting", "item_delete_invalid_item_id", id));
        }
        self.out
            .emit("conversation.item.deleted", json!({"item_id": id}));
        Ok(())
    }

    pub(super) fn truncate_item(&mut self, event: &Event) -> Outcomes {
        let id = text(event, "item_id")?;
        let index = number(event, "content_index")?;
        let end = number(event, "audio_end_ms")?;
        if self.conversation.find(id).is_none() {
            return Err(no_item("truncating", "item_truncate_invalid_item_id", id));
        }
        let members = json!({"item_id": id, "content_index": index, "audio_end_ms": end});
        self.out.emit("conversation.item.truncated", members);
        Ok(())
    }
}

fn no_item(doing: &str, code: &'static str, id: &str) -> ApiError {
    let id: String = id.chars().take(100).collect();
    let message = format!("Error {doing} item: the item with id '{id}' does not exist.");
    ApiError::parameter(code, "item_id", message)
}
