use super::*;
use crate::wire::quic::Quic;
use crate::wire::tcp::Tcp;
use crate::wire::tls::Tls;

/// An idle connection is this, its session and two entries in tables: memory per connection is a budget.
#[test]
fn connections_are_small() {
    assert!(size_of::<Connection<Tcp>>() <= 208);
    assert!(size_of::<Connection<Tls>>() <= 168);
    assert!(size_of::<Connection<Quic>>() <= 248);
    assert!(size_of::<crate::registry::Slot>() <= 408);
    assert!(size_of::<crate::session::Identity>() <= 104);
}
