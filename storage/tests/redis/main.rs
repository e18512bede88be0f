//! The engine `redis` over clusters that the tests start themselves.

mod cluster;
