//! The table of keys as Markdown, for the page in `docs/reference`.

use std::fmt::Write;

use super::table::{KEYS, Key, Presence, Reader};

/// The tables of the page: the keys of the policies, and those of the hub.
pub fn key_table() -> String {
    let mut text = String::new();
    let of_policies = |key: &&Key| key.readers != [Reader::Hub];
    table(&mut text, "Keys of the policies", KEYS.iter().filter(of_policies));
    text.push('\n');
    table(&mut text, "Keys of the hub", KEYS.iter().filter(|key| !of_policies(key)));
    text
}

fn table(text: &mut String, heading: &str, keys: impl Iterator<Item = &'static Key>) {
    let _written = writeln!(
        text,
        "### {heading}\n\n| key | read by | what it is | default | for example | what it takes |\n|---|---|---|---|---|---|"
    );
    for key in keys {
        let readers: Vec<&str> = key.readers.iter().map(|reader| reader.as_str()).collect();
        let default = match key.presence {
            Presence::Required => "none: it must be there".to_owned(),
            Presence::RequiredToInstall => "none: it must be there unless `installMode` is `none`".to_owned(),
            Presence::Default("") => "empty".to_owned(),
            Presence::Default(value) => code(value),
        };
        let mut names = code(key.name);
        for alias in key.aliases {
            let _written = write!(names, ", also {}", code(alias));
        }
        let example =
            if key.is_secret() { "output of `base64 -w0 FILE`".to_owned() } else { code(key.example) };
        let _written = writeln!(
            text,
            "| {names} | {} | {} | {default} | {example} | {} |",
            readers.join(", "),
            cell(key.meaning),
            cell(key.form.expected())
        );
    }
}

fn code(text: &str) -> String {
    format!("`{}`", cell(text))
}

/// A bar would end the cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
