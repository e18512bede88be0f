//! The contracts: what is said on the wire, what is kept in the store, and how frames are cut out of a byte stream.
//!
//! This crate knows no I/O, no clock and no runtime. `wire.proto`, `entry.proto` and `store.proto` beside it are the reference;
//! [`frame`] is the codec that both ends of every connection share.

pub mod frame;
pub mod push;

#[allow(missing_docs, unreachable_pub, clippy::all)]
mod generated {
    //! What `build.rs` made of the `.proto` files.
    pub mod linnet {
        pub mod entry {
            include!(concat!(env!("OUT_DIR"), "/linnet.entry.rs"));
        }
        pub mod wire {
            include!(concat!(env!("OUT_DIR"), "/linnet.wire.rs"));
        }
        pub mod store {
            include!(concat!(env!("OUT_DIR"), "/linnet.store.rs"));
        }
    }
}

pub use generated::linnet::{entry, store, wire};
pub use prost::Message;
