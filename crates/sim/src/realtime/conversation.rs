//! The items of a conversation, in order.

use serde_json::{Map, Value, json};

use crate::error::ApiError;

/// Items and bytes of text a conversation may hold.
const MAX_ITEMS: usize = 10_000;
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// One item, with what counting tokens needs.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) members: Map<String, Value>,
    pub(crate) audio_ms: u64,
    bytes: usize,
}

impl Item {
    /// An item as it is stored and shown: audio itself is not kept.
    pub(crate) fn new(mut members: Map<String, Value>, id: &str, audio_ms: u64) -> Self {
        members.entry("id").or_insert_with(|| json!(id));
        members.entry("object").or_insert(json!("realtime.item"));
        members.entry("status").or_insert(json!("completed"));
        let content = members.get_mut("content").and_then(Value::as_array_mut);
        for part in content.into_iter().flatten() {
            if let Some(part) = part.as_object_mut() {
                part.remove("audio");
            }
        }
        let bytes = serde_json::to_string(&members).map_or(0, |text| text.len());
        Self {
            members,
            audio_ms,
            bytes,
        }
    }

    pub(crate) fn id(&self) -> &str {
        self.members
            .get("id")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// All text of the item: typed, spoken, or of a function.
    pub(crate) fn text(&self) -> String {
        let content = self.members.get("content").and_then(Value::as_array);
        let parts = content.into_iter().flatten();
        let spoken = parts.flat_map(|part| [part.get("text"), part.get("transcript")]);
        let own = [self.members.get("arguments"), self.members.get("output")];
        let texts: Vec<_> = spoken
            .chain(own)
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        texts.join(" ")
    }

    /// Whether the model said it.
    pub(crate) fn is_of_assistant(&self) -> bool {
        self.members
            .get("role")
            .is_some_and(|role| role == "assistant")
    }

    fn is_of_user(&self) -> bool {
        self.members.get("role").is_some_and(|role| role == "user")
    }
}

/// The conversation of one session.
#[derive(Debug, Default)]
pub(crate) struct Conversation {
    items: Vec<Item>,
    bytes: usize,
}

impl Conversation {
    /// Puts an item behind `after` (`root` is the front, none the end).
    ///
    /// The answer is the id of the item before it.
    pub(crate) fn insert(
        &mut self,
        item: Item,
        after: Option<&str>,
    ) -> Result<Option<String>, ApiError> {
        if self.items.len() >= MAX_ITEMS || self.bytes + item.bytes > MAX_BYTES {
            let message = "The conversation is full; delete items or start another session.";
            return Err(ApiError::bad_request("conversation_full", message));
        }
        if self.find(item.id()).is_some() {
            let message = format!(
                "Error adding item: the item with id '{}' already exists.",
                item.id()
            );
            return Err(ApiError::parameter(
                "item_create_duplicate_item_id",
                "item.id",
                message,
            ));
        }
        let index = self.place(after)?;
        self.bytes += item.bytes;
        self.items.insert(index, item);
        let before = index
            .checked_sub(1)
            .and_then(|before| self.items.get(before));
        Ok(before.map(|before| before.id().to_owned()))
    }

    /// The item of an id.
    pub(crate) fn find(&self, id: &str) -> Option<&Item> {
        self.items.iter().find(|item| item.id() == id)
    }

    /// Takes an item out; false where there is none.
    pub(crate) fn remove(&mut self, id: &str) -> bool {
        let Some(index) = self.items.iter().position(|item| item.id() == id) else {
            return false;
        };
        let removed = self.items.remove(index);
        self.bytes -= removed.bytes;
        true
    }

    /// The id of the last item.
    pub(crate) fn last_id(&self) -> Option<&str> {
        self.items.last().map(Item::id)
    }

    /// The last item of the user.
    pub(crate) fn last_of_user(&self) -> Option<&Item> {
        self.items.iter().rev().find(|item| item.is_of_user())
    }

    /// All items.
    pub(crate) fn items(&self) -> &[Item] {
        &self.items
    }

    fn place(&self, after: Option<&str>) -> Result<usize, ApiError> {
        let Some(after) = after else {
            return Ok(self.items.len());
        };
        if after == "root" {
            return Ok(0);
        }
        let found = self.items.iter().position(|item| item.id() == after);
        found.map(|index| index + 1).ok_or_else(|| {
            let message =
                format!("Error adding item: the previous item with id '{after}' does not exist.");
            ApiError::parameter(
                "item_create_invalid_previous_item_id",
                "previous_item_id",
                message,
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(id: &str) -> Item {
        Item::new(Map::new(), id, 0)
    }

    #[test]
    fn tells_the_true_previous_item() {
        let mut conversation = Conversation::default();
        assert_eq!(conversation.insert(item("a"), None), Ok(None));
        assert_eq!(
            conversation.insert(item("b"), None),
            Ok(Some("a".to_owned()))
        );
        assert_eq!(
            conversation.insert(item("c"), Some("a")),
            Ok(Some("a".to_owned()))
        );
        assert_eq!(conversation.insert(item("d"), Some("root")), Ok(None));
        let order: Vec<_> = conversation.items().iter().map(Item::id).collect();
        assert_eq!(order, ["d", "a", "c", "b"]);
        assert!(conversation.insert(item("a"), None).is_err());
        assert!(conversation.insert(item("e"), Some("nope")).is_err());
    }

    #[test]
    fn removing_makes_room() {
        let mut conversation = Conversation::default();
        conversation.insert(item("a"), None).unwrap();
        assert!(conversation.remove("a"));
        assert!(!conversation.remove("a"));
        assert_eq!(conversation.bytes, 0);
    }
}
