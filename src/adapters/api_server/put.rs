//! Making an object what it should be, field by field, with what others wrote on it kept.
//!
//! Takes the fields that are wanted; gives what was done. Can be repeated: what is as it should be is left alone.

use serde_json::{Map, Value, json};

use super::{ApiError, Connection, Mode};
use crate::api::object::{Manifest, ObjectKey};

/// How often a write is tried again on fresh state.
const ATTEMPTS: usize = 5;

/// What became of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// `managedcluster/c1`.
    pub object: String,
    /// What was done.
    pub done: Done,
}

/// What was done to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// It was created.
    Created,
    /// It was changed.
    Configured,
    /// It was as it should be.
    Unchanged,
    /// It was deleted.
    Deleted,
    /// It was not there.
    Absent,
}

impl Done {
    /// The word that kubectl uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Configured => "configured",
            Self::Unchanged => "unchanged",
            Self::Deleted => "deleted",
            Self::Absent => "not found",
        }
    }
}

fn named(key: &ObjectKey) -> String {
    format!("{}/{}", key.gvk.kind.to_lowercase(), key.name)
}

impl Connection {
    /// Creates the object with these fields, or merges them into what is there.
    pub async fn put(&self, key: &ObjectKey, fields: &Value) -> Result<Change, ApiError> {
        let object = named(key);
        let change = |done| Ok(Change { object: object.clone(), done });
        let mut last = None;
        for _ in 0..ATTEMPTS {
            let written = match self.get(key).await? {
                None => self.create(&whole(key, fields)?, Mode::Real).await.map(|_| Done::Created),
                Some(existing) if covers(&existing.to_value(), fields) => return change(Done::Unchanged),
                Some(existing) => {
                    let mut patch = fields.clone();
                    patch["metadata"]["resourceVersion"] = json!(existing.resource_version());
                    self.merge(key, &patch, Mode::Real).await.map(|_| Done::Configured)
                }
            };
            match written {
                Ok(done) => return change(done),
                // Somebody else, upstream's controllers for instance, was faster: look again.
                Err(error @ (ApiError::AlreadyExists { .. } | ApiError::Conflict { .. })) => {
                    last = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        Err(last.unwrap_or(ApiError::Conflict { message: format!("{object} changes all the time") }))
    }

    /// Deletes an object, if it is there.
    pub async fn remove(&self, key: &ObjectKey) -> Result<Change, ApiError> {
        let done = match self.get(key).await? {
            None => Done::Absent,
            Some(existing) => {
                self.delete(key, existing.uid()).await?;
                Done::Deleted
            }
        };
        Ok(Change { object: named(key), done })
    }
}

fn whole(key: &ObjectKey, fields: &Value) -> Result<Manifest, ApiError> {
    let mut object = Map::new();
    object.insert("apiVersion".to_owned(), json!(key.gvk.api_version()));
    object.insert("kind".to_owned(), json!(key.gvk.kind));
    object.extend(fields.as_object().cloned().unwrap_or_default());
    let manifest = Manifest::parse(Value::Object(object))
        .map_err(|error| ApiError::Invalid { message: error.to_string() })?;
    Ok(manifest.with_name(&key.name).with_namespace(key.namespace.as_deref()))
}

fn covers(existing: &Value, wanted: &Value) -> bool {
    match wanted {
        Value::Object(fields) => {
            fields.iter().all(|(field, value)| covers(existing.get(field).unwrap_or(&Value::Null), value))
        }
        other => existing == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::object::GroupVersionKind;

    #[test]
    fn what_is_there_already_is_covered() {
        let existing =
            json!({"metadata": {"labels": {"a": "1", "b": "2"}}, "spec": {"hubAcceptsClient": true}});
        assert!(covers(
            &existing,
            &json!({"metadata": {"labels": {"a": "1"}}, "spec": {"hubAcceptsClient": true}})
        ));
        assert!(!covers(&existing, &json!({"metadata": {"labels": {"a": "2"}}})));
        assert!(!covers(&existing, &json!({"data": {"kubeconfig": "x"}})));
    }

    #[test]
    fn an_object_has_its_identity() {
        let key = ObjectKey {
            gvk: GroupVersionKind::new("v1", "Secret"),
            namespace: Some("c1".to_owned()),
            name: "s".to_owned(),
        };
        let secret = whole(&key, &json!({"metadata": {"labels": {"l": "v"}}, "data": {}})).unwrap();
        assert_eq!(secret.key(), Some(key));
        assert_eq!(secret.label("l"), Some("v"));
    }
}
