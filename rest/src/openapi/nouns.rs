//! The nouns that operations are grouped by: the file of a handler tells which.

/// Each noun, and what it stands for.
pub(super) const NOUNS: &[(&str, &str)] = &[
    ("users", "who exists, and what is known of them"),
    ("devices", "what users log in from"),
    ("tokens", "what callers show to be believed"),
    ("roster", "friends, requests and block lists"),
    ("groups", "groups, their members and rules"),
    ("messages", "what is said"),
    ("conversations", "what users are in, and how far they have read"),
    ("push", "what reaches phones that are not connected"),
    ("files", "what is uploaded and fetched"),
    ("rules", "what may be said, and by whom"),
    ("support", "customers and who serves them"),
];

/// Files whose names are no nouns of the list.
const FILES: &[(&str, &str)] = &[
    ("accounts", "users"),
    ("announcements", "groups"),
    ("app", "users"),
    ("applications", "groups"),
    ("blacklist", "roster"),
    ("client_groups", "groups"),
    ("download", "files"),
    ("friends", "roster"),
    ("group", "groups"),
    ("group_members", "groups"),
    ("group_messages", "messages"),
    ("group_profile", "groups"),
    ("group_settings", "groups"),
    ("invitations", "groups"),
    ("joining", "groups"),
    ("managed", "users"),
    ("members", "groups"),
    ("offline", "messages"),
    ("profiles", "users"),
    ("qr", "groups"),
    ("rooms", "messages"),
    ("send", "messages"),
    ("settings", "users"),
    ("shared_files", "groups"),
    ("stores", "support"),
    ("upload", "files"),
];

/// The file of a handler, from where it is: `rest::maxim::groups::create`.
pub(crate) fn file_of(handler: &'static str) -> &'static str {
    handler.split("::").nth(2).unwrap_or_default()
}

/// The noun that it is about.
pub(crate) fn noun_of(handler: &'static str) -> &'static str {
    let file = file_of(handler);
    FILES.iter().find(|(name, _)| *name == file).map_or(file, |(_, noun)| noun)
}
