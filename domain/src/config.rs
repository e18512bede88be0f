//! Settings of the product's rules.

use std::time::Duration;

use serde::{Deserialize, Serialize};
