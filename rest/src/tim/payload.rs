//! The payload of each tim message type, as the document and its clients spell it.
//!
//! Every field has a default, for clients of different ages send different ones;
//! what a payload holds beyond these fields is kept as it came (see [`content`](super::content)).

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::lenient;
use crate::seconds::Seconds;

/// `TIMTextElem`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Text {
    pub text: String,
}

/// `TIMImageElem`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Image {
    pub uuid: String,
    /// A number in the SDK.
    #[serde(deserialize_with = "lenient::string")]
    pub image_format: String,
    /// The original first, then smaller ones.
    pub image_info_array: Vec<ImageInfo>,
}

/// One size of an image.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ImageInfo {
    /// 1 the original, 2 large, 3 thumbnail.
    #[serde(rename = "type", alias = "sizeType")]
    pub size_type: u32,
    pub size: u64,
    pub width: u32,
    pub height: u32,
    pub url: String,
}

/// `TIMSoundElem`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Sound {
    pub uuid: String,
    #[serde(alias = "remoteAudioUrl")]
    pub url: String,
    pub size: u64,
    pub second: Seconds,
}

/// `TIMVideoFileElem`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Video {
    #[serde(rename = "videoUUID")]
    pub video_uuid: String,
    #[serde(alias = "remoteVideoUrl")]
    pub video_url: String,
    pub video_format: String,
    pub video_size: u64,
    pub video_second: Seconds,
    #[serde(rename = "thumbUUID")]
    pub thumb_uuid: String,
    pub thumb_url: String,
    pub thumb_format: String,
    pub thumb_size: u64,
    pub thumb_width: u32,
    pub thumb_height: u32,
}

/// `TIMFileElem`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct File {
    pub uuid: String,
    pub file_name: String,
    pub file_url: String,
    pub file_size: u64,
}

/// `TIMFaceElem`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Face {
    /// A string in the document, a number in the SDK.
    #[serde(deserialize_with = "lenient::string")]
    pub index: String,
    pub data: String,
}

/// `TIMLocationElem`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Location {
    pub description: String,
    pub longitude: f64,
    pub latitude: f64,
}

/// `TIMCustomElem`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Custom {
    pub data: String,
    pub description: String,
    pub extension: String,
}

/// `TIMRelayElem`: several messages in one.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Relay {
    pub title: String,
    /// A line for each of the first messages.
    pub abstract_list: Vec<String>,
    /// What a client shows that cannot open it.
    pub compatible_text: String,
    pub message_list: Vec<RelayItem>,
}

/// One message of a [`Relay`].
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RelayItem {
    #[serde(default)]
    pub from: String,
    /// Unix seconds.
    #[serde(default)]
    pub time: i64,
    #[serde(rename = "type")]
    pub kind: String,
    pub payload: Box<RawValue>,
}

/// `TIMGroupTipElem`: something that happened in a group.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GroupTip {
    #[serde(rename = "operatorID")]
    pub operator_id: String,
    /// 1 joined, 2 left, 3 removed, 4 made an admin, 5 an admin no more, 6 the group changed, 7 a member changed.
    pub operation_type: u8,
    #[serde(rename = "userIDList")]
    pub user_id_list: Vec<String>,
    pub group_profile: NoticeGroup,
    /// What changed of the group, by name: `groupName`, `notification`, `ownerID`, `muteAllMembers` and so on.
    pub new_group_profile: Map<String, Value>,
    /// What changed of members: `userID`, and `muteTime` in seconds or `nameCard`.
    pub member_list: Vec<Value>,
    pub text: String,
}

/// `TIMGroupSystemNoticeElem`: something that a user should know.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GroupSystemNotice {
    #[serde(rename = "operatorID")]
    pub operator_id: String,
    /// 1 somebody asks to join, 2 let in, 3 not let in, 4 removed, 5 the group was dismissed, 6 the group was made, 7 invited, 8 left,
    /// 9 made an admin, 10 an admin no more, 12 asked to come in, 13 and 14 an invitation was taken or not, 255 the app's own notice.
    pub operation_type: u8,
    pub group_profile: NoticeGroup,
    /// What was said with it: why somebody asks to join, or why not.
    pub handle_message: String,
    /// What the app's own notice says.
    pub user_defined_field: String,
}

/// The part of [`GroupSystemNotice`] that comes back when an application is answered.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Applied {
    /// Who asked to join.
    #[serde(rename = "operatorID", deserialize_with = "lenient::string")]
    pub operator_id: String,
    pub group_profile: NoticeGroup,
}

/// The group that a tip or notice is about.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct NoticeGroup {
    #[serde(rename = "groupID", deserialize_with = "lenient::string")]
    pub group_id: String,
    #[serde(default)]
    pub name: String,
}
