//! The message object of the document's first appendix, as it goes out and as it comes back.

use domain::entry::Priority;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::Error;
use crate::lenient;

/// In `atUserList`, everybody. The SDK's own spelling.
pub(super) const EVERYBODY: &str = "__kImSDK_MesssageAtALL__";

/// A message, as it is answered.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Message {
    #[serde(rename = "ID")]
    pub id: String,
    /// `TIMTextElem`, `TIMImageElem`, ...
    #[serde(rename = "type")]
    pub kind: String,
    /// Its shape follows the type.
    #[schema(value_type = Object)]
    pub payload: Box<RawValue>,
    #[serde(rename = "conversationID")]
    pub conversation_id: String,
    pub conversation_type: &'static str,
    /// The receiver's userID or groupID.
    pub to: String,
    /// The sender's userID.
    pub from: String,
    /// `in` or `out`.
    pub flow: &'static str,
    /// Unix seconds.
    pub time: i64,
    /// `unSend`, `success` or `fail`.
    pub status: &'static str,
    pub is_revoked: bool,
    /// `High`, `Normal`, `Low` or `Lowest`.
    pub priority: &'static str,
    pub nick: String,
    pub avatar: String,
    pub is_peer_read: bool,
    pub name_card: String,
    pub at_user_list: Vec<String>,
    pub cloud_custom_data: String,
}

/// A message, wrapped as the document has it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Wrapped {
    pub message: Message,
}

/// A message that a client gives back: what it may decide. The rest is told by the server.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GivenMessage {
    /// From `createMessage`. One who made the object without it leaves it out.
    #[serde(rename = "ID", default, deserialize_with = "lenient::string")]
    pub id: String,
    #[serde(rename = "type")]
    pub kind: String,
    #[schema(value_type = Object)]
    pub payload: Box<RawValue>,
    pub conversation_type: String,
    #[serde(deserialize_with = "lenient::string")]
    pub to: String,
    #[serde(default)]
    pub priority: String,
    #[serde(default, deserialize_with = "lenient::vec_string")]
    pub at_user_list: Vec<String>,
    #[serde(default)]
    pub cloud_custom_data: String,
    /// What the client believes became of it; only `resendMessage` asks.
    #[serde(default, skip_serializing)]
    pub status: String,
}

/// A message, or the ID of one that `createMessage` made.
#[derive(Debug, ToSchema)]
#[schema(as = MessageOrId)]
pub(crate) enum MessageRef {
    Object(GivenMessage),
    Id(String),
}

impl<'de> Deserialize<'de> for MessageRef {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;

        // Not an untagged enum: those cannot hold a payload as it came.
        let text = Box::<RawValue>::deserialize(from)?;
        if text.get().starts_with('{') {
            return serde_json::from_str(text.get()).map(Self::Object).map_err(|error| D::Error::custom(plain(&error)));
        }
        let mut reader = serde_json::Deserializer::from_str(text.get());
        lenient::string(&mut reader).map(Self::Id).map_err(|error| D::Error::custom(plain(&error)))
    }
}

/// What serde says, without a line and column that are not those of the request.
pub(super) fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or_default().to_owned()
}

/// A priority by its name, or by the name of the SDK's constant. Empty is normal.
pub(super) fn priority(name: &str) -> Result<Priority, Error> {
    match name.strip_prefix("TIM.TYPES.MSG_PRIORITY_").unwrap_or(name) {
        "High" | "HIGH" => Ok(Priority::High),
        "Normal" | "NORMAL" | "" => Ok(Priority::Normal),
        "Low" | "LOW" => Ok(Priority::Low),
        "Lowest" | "LOWEST" => Ok(Priority::Lowest),
        _ => Err(Error::parameter("priority: must be High, Normal, Low or Lowest")),
    }
}

/// A priority's name.
pub(super) fn priority_name(priority: Priority) -> &'static str {
    match priority {
        Priority::High => "High",
        Priority::Normal => "Normal",
        Priority::Low => "Low",
        Priority::Lowest => "Lowest",
    }
}
