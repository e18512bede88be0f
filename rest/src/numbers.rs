//! Errors that are told by a number in the body, under HTTP status 200: what the dialects that have such agree on.

use domain::{Denial, Error, Noun};

use crate::dialect::Fault;

/// Statuses other than 200 are for those who do not read bodies.
pub(crate) const STATUSES: &[(u16, &str)] = &[
    (200, "An error told by the code in the body"),
    (405, "The path exists, but not with this method"),
    (408, "The body did not arrive in time"),
    (413, "The body is too large"),
    (500, "Our fault"),
    (503, "Too busy, or the store cannot be reached; whether the call took effect is then unknown"),
];

/// The numbers of a dialect, and its words.
pub(crate) struct Numbers {
    pub(crate) malformed: u32,
    pub(crate) parameter: u32,
    pub(crate) token: u32,
    pub(crate) too_frequent: u32,
    /// Our fault.
    pub(crate) internal: u32,
    /// The store cannot be reached, or is full.
    pub(crate) storage: u32,
    pub(crate) denied: fn(Denial) -> u32,
    pub(crate) not_found: fn(Noun) -> u32,
    pub(crate) exists: fn(Noun) -> u32,
    /// What the dialect calls a field of the domain's.
    pub(crate) spelled: fn(&'static str) -> &'static str,
    /// What the dialect calls the id under which two contents were sent.
    pub(crate) message_id: &'static str,
}

/// A status, a number and a text.
pub(crate) struct Numbered {
    pub(crate) status: u16,
    pub(crate) code: u32,
    pub(crate) message: String,
}

impl Numbers {
    pub(crate) fn of_fault(&self, fault: &Fault) -> Numbered {
        let (status, code) = match fault {
            Fault::Malformed(_) => (200, self.malformed),
            Fault::Field { .. } => (200, self.parameter),
            Fault::Method { .. } | Fault::TooLarge { .. } | Fault::Slow => (fault.status(), self.parameter),
            Fault::Busy => (fault.status(), self.too_frequent),
            Fault::Internal => (fault.status(), self.internal),
        };
        Numbered { status, code, message: fault.to_string() }
    }

    pub(crate) fn of_domain(&self, error: &Error) -> Numbered {
        let told = |code: u32| Numbered { status: 200, code, message: error.to_string() };
        match error {
            Error::Invalid { field, message } => {
                Numbered { message: format!("{}: {message}", (self.spelled)(field)), ..told(self.parameter) }
            }
            Error::Reused => {
                let message = format!("this {} was used for another message", self.message_id);
                Numbered { message, ..told(self.parameter) }
            }
            Error::Unauthenticated(_) => told(self.token),
            Error::Denied(denial) => told((self.denied)(*denial)),
            Error::NotFound(noun) => told((self.not_found)(*noun)),
            Error::Exists(noun) => told((self.exists)(*noun)),
            Error::Limited { .. } => told(self.too_frequent),
            Error::Unavailable(_) | Error::Full => Numbered { status: 503, ..told(self.storage) },
        }
    }
}
