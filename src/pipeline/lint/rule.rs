//! The rules: what each one is called, how bad it is, and what it says in one sentence. `docs/reference/lint.md` has an
//! example of each.

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// It works, but maybe not as meant, or not for ever.
    Warning,
    /// It does not work.
    Error,
}

impl Level {
    /// The word, which SARIF shares.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident = $id:literal, $level:ident, $summary:literal;)+) => {
        /// A rule.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule { $($(#[$doc])* $name),+ }

        impl Rule {
            /// All of them, in the order of the page.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Its name in output.
            pub fn id(self) -> &'static str {
                match self { $(Self::$name => $id),+ }
            }

            /// How bad its findings are.
            pub fn level(self) -> Level {
                match self { $(Self::$name => Level::$level),+ }
            }

            /// Whether it is about the ConfigMap with the settings.
            pub fn is_of_settings(self) -> bool {
                self.id().starts_with("config-")
            }

            /// What it finds.
            pub fn summary(self) -> &'static str {
                match self { $(Self::$name => $summary),+ }
            }
        }
    };
}

rules! {
    /// A document cannot be read.
    Yaml = "yaml", Error, "The document is not YAML";
    /// A template stands without quotes where YAML takes its braces for a mapping.
    UnquotedTemplate = "unquoted-template", Error, "A template without quotes, which YAML reads as a mapping";
    /// A field that the kind does not have.
    UnknownField = "unknown-field", Error, "A field that a ConfigurationPolicy does not have";
    /// A field that must be there.
    MissingField = "missing-field", Error, "A field that must be there is missing";
    /// A word that a field does not take.
    InvalidValue = "invalid-value", Error, "A word that the field does not take";
    /// Nobody says whether to inform or to enforce.
    RemediationMissing = "remediation-missing", Error, "Neither the Policy nor the ConfigurationPolicy has a remediationAction";
    /// Two templates of a policy share a name.
    DuplicateName = "duplicate-name", Error, "Two templates of the policy have the same name";
    /// A template does not parse.
    TemplateSyntax = "template-syntax", Error, "A template does not parse";
    /// A function that does not exist.
    UnknownFunction = "unknown-function", Error, "A function that does not exist";
    /// A function that is refused.
    RefusedFunction = "refused-function", Error, "A function that is refused when it is called";
    /// A function or variable of the other phase.
    WrongPhase = "wrong-phase", Error, "A function or variable that exists in the other kind of template only";
    /// `{{hub … }}`.
    MixedDelimiters = "mixed-delimiters", Error, "A template begins as one kind and ends as the other";
    /// A look-up on the hub outside the policy's namespace.
    LookupNamespace = "lookup-namespace", Error, "A look-up on the hub outside the namespace of the policy";
    /// A name that is too long.
    NameTooLong = "name-too-long", Error, "A name that is too long on the cluster with the longest name";
    /// Quotes stay around a value that should get its type.
    QuotedListItem = "quoted-list-item", Warning, "toInt, toBool and toLiteral have no effect on an entry of a list";
    /// A typed value without quotes swallows the line end behind it.
    SwallowedLine = "swallowed-line", Error, "A typed value without quotes, which swallows the line end behind it";
    /// Blanks at the end of a line of a block.
    TrailingBlanks = "trailing-blanks", Warning, "Blanks at the end of a line of a text with templates";
    /// Fields that are not looked at.
    IgnoredFields = "ignored-fields", Warning, "mustnothave with a name looks at nothing but the name";
    /// A field of older Velero or OADP.
    DeprecatedField = "deprecated-field", Warning, "A field of older versions of Velero or OADP";
    /// A key of the ConfigMap that must be there.
    ConfigMissing = "config-missing", Error, "A key of the ConfigMap that must be there is missing";
    /// A value of the ConfigMap that YAML does not read as a text.
    ConfigNotText = "config-not-text", Error, "A value of the ConfigMap that is no text, which the API server refuses";
    /// A placeholder of the samples.
    ConfigPlaceholder = "config-placeholder", Error, "A value of the ConfigMap still has a placeholder of the sample";
    /// A value of the ConfigMap that cannot be read.
    ConfigUnreadable = "config-unreadable", Error, "A value of the ConfigMap that is neither YAML nor base64";
    /// A value of the ConfigMap that its key does not take.
    ConfigInvalid = "config-invalid", Error, "A value of the ConfigMap that its key does not take";
    /// A value of the ConfigMap that Velero or OADP refuses.
    ConfigRefused = "config-refused", Error, "A value of the ConfigMap that Velero or the OADP operator would refuse";
    /// Values of the ConfigMap that cannot be used together.
    ConfigConflict = "config-conflict", Error, "Values of the ConfigMap that cannot be used together";
    /// A key or field that nobody knows.
    ConfigUnknown = "config-unknown", Warning, "A key or field of the ConfigMap that nobody knows";
    /// A value of older versions.
    ConfigObsolete = "config-obsolete", Warning, "A value of the ConfigMap in the words of older versions";
    /// A value that may not be meant so.
    ConfigDoubtful = "config-doubtful", Warning, "A value of the ConfigMap that works, but probably not as meant";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_rule_has_a_name_of_its_own() {
        let ids: BTreeSet<&str> = Rule::ALL.iter().map(|rule| rule.id()).collect();
        assert_eq!(ids.len(), Rule::ALL.len());
        assert!(Rule::ALL.iter().all(|rule| !rule.summary().ends_with('.')));
    }
}
