//! What two binaries of this package share: the relay, whose protocol the generator speaks too.

pub mod relay;
