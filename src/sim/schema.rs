//! stub
use serde_json::Value;
pub(super) struct Admitted {
    pub(super) unknown: Vec<String>,
    pub(super) causes: Vec<super::status::Cause>,
}
pub(super) fn admit(_schema: &Value, _object: &mut Value) -> Admitted {
    Admitted { unknown: vec![], causes: vec![] }
}
