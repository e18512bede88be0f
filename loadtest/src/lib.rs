//! Drives a Linnet gateway as phones would, and keeps its own books on what was promised and what was kept.
//!
//! A [`plan`] says what to do: a [`scenario`], a load, thresholds. Workers do it, led by a coordinator ([`run`]), and what they
//! [`measure`] becomes one [`outcome`], from which every [`report`] is made. Nothing here knows the server's code.

pub mod cli;
pub mod fault;
pub mod measure;
pub mod outcome;
pub mod plan;
pub mod report;
pub mod run;
pub mod scenario;
pub mod show;
