//! What the hub keeps of a source: a ConfigMap with the revision, the inventory and what is wrong.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::inventory::{Inventory, InventoryError};
use crate::api::object::Manifest;

/// Label on the ConfigMap: the name of the source.
pub const SOURCE_LABEL: &str = "flotilla.dev/source";
/// How many findings are told.
const MOST_FINDINGS: usize = 20;
/// How long one of them may be, in characters.
const LONGEST_FINDING: usize = 400;

/// Name of the ConfigMap of a source.
pub fn record_name(source: &str) -> String {
    format!("flotilla-source-{source}")
}

/// How a source stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Record {
    /// Where it is, without credentials.
    pub address: String,
    /// What is applied; empty before the first time.
    pub revision: String,
    /// What was looked at last; another one than `revision` could not be applied.
    pub seen: String,
    /// Who signed what is applied; empty where that is not asked.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub signer: String,
    /// Why the source is not applied as it is, one finding a line; empty when it is.
    pub error: String,
}

impl Record {
    /// From the ConfigMap.
    pub fn read(config_map: &Manifest) -> Self {
        let text = |key: &str| config_map.text_at(&["data", key]).unwrap_or_default().to_owned();
        Self {
            address: text("address"),
            revision: text("revision"),
            seen: text("seen"),
            signer: text("signer"),
            error: text("error"),
        }
    }

    /// The inventory beside it; empty where there is none yet.
    pub fn inventory(config_map: &Manifest) -> Result<Inventory, InventoryError> {
        config_map.text_at(&["data", "inventory"]).map_or_else(|| Ok(Inventory::default()), Inventory::parse)
    }

    /// The `data` of the ConfigMap.
    pub fn data(&self, inventory: &Inventory) -> Result<Value, InventoryError> {
        Ok(json!({
            "address": self.address, "revision": self.revision, "seen": self.seen, "signer": self.signer,
            "error": self.error,
            "inventory": inventory.to_text()?,
        }))
    }

    /// Its labels.
    pub fn labels(source: &str) -> BTreeMap<&'static str, &str> {
        BTreeMap::from([(SOURCE_LABEL, source), ("app.kubernetes.io/managed-by", "flotilla")])
    }

    /// The findings as the record tells them.
    pub fn told(findings: &[String]) -> String {
        let mut lines: Vec<String> =
            findings.iter().take(MOST_FINDINGS).map(|finding| line(finding)).collect();
        if findings.len() > MOST_FINDINGS {
            lines.push(format!("and {} more", findings.len() - MOST_FINDINGS));
        }
        lines.join("\n")
    }
}

fn line(finding: &str) -> String {
    let flat = finding.split_whitespace().collect::<Vec<_>>().join(" ");
    if flat.chars().count() <= LONGEST_FINDING {
        return flat;
    }
    flat.chars().take(LONGEST_FINDING).chain("...".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_read_back() {
        let record = Record {
            address: "dir:///a".to_owned(),
            revision: "r1".to_owned(),
            seen: "r2".to_owned(),
            signer: "s".to_owned(),
            error: "e".to_owned(),
        };
        let config_map = Manifest::parse(json!({"apiVersion": "v1", "kind": "ConfigMap",
            "data": record.data(&Inventory::default()).unwrap()}))
        .unwrap();
        assert_eq!(Record::read(&config_map), record);
        assert_eq!(Record::inventory(&config_map).unwrap(), Inventory::default());
        let broken = config_map.with_field("data", Some(json!({"inventory": "no"})));
        assert!(Record::inventory(&broken).is_err());
    }

    #[test]
    fn many_findings_and_long_ones_are_cut() {
        let findings: Vec<String> = (0..25).map(|number| format!("{number}\n{}", "x".repeat(500))).collect();
        let told = Record::told(&findings);
        assert_eq!(told.lines().count(), 21);
        assert!(told.starts_with("0 xxx") && told.ends_with("\nand 5 more"), "{told}");
        assert_eq!(told.lines().next().unwrap().len(), 403);
    }
}
