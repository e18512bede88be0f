//! The providers, each by its own public API.

pub(crate) mod apns;
pub(crate) mod fcm;
pub(crate) mod huawei;
pub(crate) mod meizu;
pub(crate) mod oppo;
pub(crate) mod vivo;
pub(crate) mod xiaomi;
