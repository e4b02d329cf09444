//! Cases that are judged wrong upstream, with the reason. `docs/conformance.md` tells the same to people.

/// Group, case, reason.
pub(crate) const JUDGED_WRONG: &[(&str, &str, &str)] = &[];

/// Why a case is judged wrong, if it is.
pub(crate) fn reason(group: &str, id: &str) -> Option<&'static str> {
    JUDGED_WRONG
        .iter()
        .find(|(wrong_group, wrong_id, _)| *wrong_group == group && *wrong_id == id)
        .map(|(_, _, reason)| *reason)
}
