//! Creating and changing objects.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::kinds::{Kind, Origin, ResourceId, Role, Scope};
use super::super::patch::managed;
use super::super::schema;
use super::super::status::{ApiError, Cause, Subject};
use super::metadata::{self, metadata_mut};
use super::state::{Check, Place, State};
use super::{built_in, convert, from_stored};
use crate::api::object::Manifest;

/// Which part of an object a write may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The main endpoint: not the status, if that is a resource of its own.
    Main,
    /// The status endpoint: the status alone.
    Status,
    /// Everything: the stage's own writes and the simulators'.
    Whole,
}

/// What to do about fields that the schema does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldValidation {
    /// Drop them.
    Ignore,
    /// Drop them and say so.
    Warn,
    /// Refuse.
    Strict,
}

/// Where a written object comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// A request's body.
    Body,
    /// A patch of the stored object.
    Patch,
    /// A server-side apply; the object carries its managed fields already.
    Apply,
}

/// How a write is done.
#[derive(Debug, Clone)]
pub(crate) struct WriteOptions {
    /// Check everything, change nothing.
    pub(crate) dry_run: bool,
    /// Who writes; `None` keeps no record of fields.
    pub(crate) manager: Option<String>,
    /// The part that may change.
    pub(crate) part: Part,
    /// What to do about unknown fields.
    pub(crate) validation: FieldValidation,
    /// Paths of the fields that the body names twice.
    pub(crate) duplicates: Vec<String>,
    /// Where the object comes from.
    pub(crate) source: Source,
    /// A given uid is kept and there is no namespace to look for.
    pub(crate) seed: bool,
}

impl WriteOptions {
    /// A write of the stage itself.
    pub(crate) fn whole() -> Self {
        Self {
            dry_run: false,
            manager: None,
            part: Part::Whole,
            validation: FieldValidation::Ignore,
            duplicates: Vec::new(),
            source: Source::Body,
            seed: false,
        }
    }
}

/// What a write left.
#[derive(Debug)]
pub(crate) struct Written {
    /// The object in the version of the request.
    pub(crate) object: Arc<Manifest>,
    /// For the `Warning` header.
    pub(crate) warnings: Vec<String>,
}

impl State {
    /// Creates an object. The namespace comes from the request's path; the object's own must not differ.
    pub(crate) fn create(
        &mut self,
        kind: &Kind,
        namespace: Option<&str>,
        object: Value,
        options: &WriteOptions,
    ) -> Result<Written, ApiError> {
        let mut object = convert::to_stored(kind, object);
        check_metadata(kind, &object)?;
        let name = set_name(kind, &mut object)?;
        let place = set_namespace(kind, namespace, &mut object, &name)?;
        let subject = Subject::new(kind, &name);
        if !options.seed {
            self.check_namespace(kind, &place, &subject)?;
        }
        match self.stored(&kind.storage, &place) {
            Some(stored) if stored.is_deleting() => return Err(ApiError::BeingDeleted(subject)),
            Some(_) => return Err(ApiError::AlreadyExists(subject)),
            None => {}
        }
        let fields = metadata_mut(&mut object);
        if fields.get("resourceVersion").is_some_and(|version| version != "") && options.part != Part::Whole {
            return Err(ApiError::Internal(
                "resourceVersion should not be set on objects to be created".to_owned(),
            ));
        }
        let uid = match fields.get("uid").and_then(Value::as_str) {
            Some(uid) if options.seed => uid.to_owned(),
            _ => uuid::Uuid::new_v4().to_string(),
        };
        for field in ["resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds"] {
            fields.remove(field);
        }
        fields.insert("uid".to_owned(), json!(uid));
        fields.insert("creationTimestamp".to_owned(), json!(self.clock.text()));
        if kind.has_generation() {
            fields.insert("generation".to_owned(), json!(1));
        }
        if kind.status_subresource
            && options.part == Part::Main
            && let Some(object) = object.as_object_mut()
        {
            object.remove("status");
        }
        let warnings = self.admit(kind, &mut object, options, None)?;
        if options.source != Source::Apply {
            metadata_mut(&mut object).remove("managedFields");
            if let Some(manager) = &options.manager {
                managed::record_update(kind, None, &mut object, manager, options.part, &self.clock.text());
            }
        }
        built_in::begin(kind, &mut object);
        if options.dry_run {
            let object = Arc::new(metadata::trusted(object));
            return Ok(Written { object: from_stored(kind, &object), warnings });
        }
        let owned = object["metadata"]["ownerReferences"].is_array();
        let stored = self.put(&kind.storage, &place, object);
        if owned {
            self.checks.push_back(Check::Owners((kind.storage.clone(), place.clone())));
        }
        let stored = self.after_create(kind, &place, stored);
        Ok(Written { object: from_stored(kind, &stored), warnings })
    }

    /// Changes an object: `change` gets it in the version of the request and answers what it shall be.
    pub(crate) fn update(
        &mut self,
        kind: &Kind,
        place: &Place,
        options: &WriteOptions,
        change: impl FnOnce(&Value) -> Result<Value, ApiError>,
    ) -> Result<Written, ApiError> {
        let subject = Subject::new(kind, &place.name);
        let stored = self.stored(&kind.storage, place);
        let stored = Arc::clone(stored.ok_or_else(|| ApiError::NotFound(subject.clone()))?);
        let proposed = change(&from_stored(kind, &stored).to_value())?;
        let mut object = convert::to_stored(kind, proposed);
        let before = stored.to_value();
        check_metadata(kind, &object)?;
        check_identity(kind, place, &mut object, &before, &subject, options.source != Source::Body)?;
        keep_server_fields(&mut object, &before);
        match options.part {
            Part::Main if kind.status_subresource => copy_field(&mut object, &before, "status"),
            Part::Status if kind.origin == Origin::BuiltIn => copy_field(&mut object, &before, "spec"),
            Part::Status => object = with_status(&before, &object),
            Part::Main | Part::Whole => {}
        }
        let warnings = self.admit(kind, &mut object, options, Some(&before))?;
        if kind.has_generation() && spec_changed(kind, &object, &before) {
            let generation = before["metadata"]["generation"].as_i64().unwrap_or(0) + 1;
            metadata_mut(&mut object).insert("generation".to_owned(), json!(generation));
        }
        if options.source != Source::Apply {
            match &options.manager {
                Some(manager) => {
                    let time = self.clock.text();
                    managed::record_update(kind, Some(&before), &mut object, manager, options.part, &time);
                }
                None => copy_managed_fields(&mut object, &before),
            }
        }
        if managed::same_but_times(&object, &before) {
            return Ok(Written { object: from_stored(kind, &stored), warnings });
        }
        if options.dry_run {
            let object = Arc::new(metadata::trusted(object));
            return Ok(Written { object: from_stored(kind, &object), warnings });
        }
        if stored.is_deleting() && !super::delete::is_held(&metadata::trusted(object.clone())) {
            // Watches are told its last stored state, the client what it would have become.
            let last = Arc::new(metadata::trusted(object));
            self.remove(&kind.storage, place);
            return Ok(Written { object: from_stored(kind, &last), warnings });
        }
        let stored = self.put(&kind.storage, place, object);
        let stored = self.after_update(kind, stored);
        Ok(Written { object: from_stored(kind, &stored), warnings })
    }

    fn check_namespace(&self, kind: &Kind, place: &Place, subject: &Subject) -> Result<(), ApiError> {
        if kind.scope == Scope::Cluster {
            return Ok(());
        }
        let namespaces = ResourceId::new("", "namespaces");
        let namespace = self.stored(&namespaces, &Place::new("", &place.namespace));
        let namespace = namespace.ok_or_else(|| {
            ApiError::NotFound(Subject::of("", "namespaces", "Namespace", &place.namespace))
        })?;
        if namespace.is_deleting() {
            return Err(ApiError::Forbidden {
                subject: subject.clone(),
                problem: format!(
                    "unable to create new content in namespace {} because it is being terminated",
                    place.namespace
                ),
                terminating: Some(place.namespace.clone()),
            });
        }
        Ok(())
    }

    /// Defaults and checks: metadata, then the kind's own rules.
    fn admit(
        &self,
        kind: &Kind,
        object: &mut Value,
        options: &WriteOptions,
        before: Option<&Value>,
    ) -> Result<Vec<String>, ApiError> {
        let subject = Subject::new(kind, object["metadata"]["name"].as_str().unwrap_or_default());
        metadata::tidy(object);
        if let Err(error) = Manifest::parse(object.clone()) {
            return Err(ApiError::BadRequest(format!(
                "{} in version {:?} cannot be handled as a {}: {error}",
                kind.kind, kind.version, kind.kind
            )));
        }
        if self.role == Role::Hub {
            super::super::hub::set_defaults(kind, object);
        }
        let core = kind.origin == Origin::BuiltIn;
        built_in::label(kind, object);
        let mut unknown = drop_unknown_metadata(object);
        let mut causes = metadata::faults(object, built_in::name_rule(kind), core);
        if core {
            unknown.extend(built_in::drop_unknown(kind, object));
            built_in::admit(kind, object, before)?;
            causes.extend(built_in::faults(kind, object));
        } else if let Some(definition) = &kind.schema {
            let admitted = schema::admit(definition, object, options.part == Part::Status);
            unknown.extend(admitted.unknown);
            causes.extend(admitted.causes);
        }
        let duplicates = options.duplicates.iter().map(|path| format!("duplicate field {path:?}"));
        let unknown = unknown.iter().map(|path| format!("unknown field {path:?}"));
        let warnings = field_faults(kind, duplicates.chain(unknown).collect(), options.validation)?;
        if let Some(before) = before.filter(|before| before["metadata"]["deletionTimestamp"].is_string()) {
            let added = new_finalizers(object, before);
            if !added.is_empty() {
                let detail = format!(
                    "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
                    added.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
                );
                causes.extend(twice(Cause::forbidden("metadata.finalizers", &detail)));
            }
        }
        let error = ApiError::Invalid { subject, causes };
        match &error {
            ApiError::Invalid { causes, .. } if causes.is_empty() => Ok(warnings),
            _ if warnings.is_empty() => Err(error),
            _ => Err(ApiError::Warned { error: Box::new(error), warnings }),
        }
    }
}

/// The API server checks metadata twice at an update, and tells such faults twice.
fn twice(cause: Cause) -> [Cause; 2] {
    [cause.clone(), cause]
}

fn drop_unknown_metadata(object: &mut Value) -> Vec<String> {
    let fields = metadata_mut(object);
    let unknown: Vec<String> =
        fields.keys().filter(|field| !metadata::METADATA_FIELDS.contains(&field.as_str())).cloned().collect();
    for field in &unknown {
        fields.remove(field);
    }
    unknown.iter().map(|field| format!("metadata.{field}")).collect()
}

/// Metadata whose fields have the wrong type.
fn check_metadata(kind: &Kind, object: &Value) -> Result<(), ApiError> {
    match metadata::type_fault(&kind.kind, &object["metadata"], kind.origin == Origin::BuiltIn) {
        None => Ok(()),
        Some(fault) => Err(ApiError::BadRequest(format!(
            "{} in version {:?} cannot be handled as a {}: {fault}",
            kind.kind, kind.version, kind.kind
        ))),
    }
}

fn field_faults(
    kind: &Kind,
    texts: Vec<String>,
    validation: FieldValidation,
) -> Result<Vec<String>, ApiError> {
    match validation {
        FieldValidation::Ignore => Ok(Vec::new()),
        FieldValidation::Warn => Ok(texts),
        FieldValidation::Strict if texts.is_empty() => Ok(texts),
        FieldValidation::Strict => Err(ApiError::BadRequest(format!(
            "{} in version {:?} cannot be handled as a {}: strict decoding error: {}",
            kind.kind,
            kind.version,
            kind.kind,
            texts.join(", ")
        ))),
    }
}

fn set_name(kind: &Kind, object: &mut Value) -> Result<String, ApiError> {
    if !object.is_object() {
        return Err(ApiError::BadRequest(format!("{} must be a mapping", kind.kind)));
    }
    let fields = metadata_mut(object);
    let text = |field: &str| fields.get(field).and_then(Value::as_str).unwrap_or_default();
    let name = match (text("name"), text("generateName")) {
        ("", "") => String::new(),
        ("", base) => metadata::generated_name(base),
        (name, _) => name.to_owned(),
    };
    fields.insert("name".to_owned(), json!(name));
    Ok(name)
}

fn set_namespace(
    kind: &Kind,
    namespace: Option<&str>,
    object: &mut Value,
    name: &str,
) -> Result<Place, ApiError> {
    let fields = metadata_mut(object);
    if kind.scope == Scope::Cluster {
        fields.remove("namespace");
        return Ok(Place::new("", name));
    }
    let own = fields.get("namespace").and_then(Value::as_str).unwrap_or_default().to_owned();
    let namespace = namespace.unwrap_or(&own);
    if !own.is_empty() && own != namespace {
        return Err(other_namespace());
    }
    if namespace.is_empty() {
        return Err(ApiError::BadRequest("an empty namespace may not be set during creation".to_owned()));
    }
    fields.insert("namespace".to_owned(), json!(namespace));
    Ok(Place::new(namespace, name))
}

fn check_identity(
    kind: &Kind,
    place: &Place,
    object: &mut Value,
    before: &Value,
    subject: &Subject,
    patched: bool,
) -> Result<(), ApiError> {
    if !object.is_object() {
        return Err(ApiError::BadRequest(format!("{} must be a mapping", kind.kind)));
    }
    let fields = metadata_mut(object);
    let text = |field: &str| fields.get(field).and_then(Value::as_str).unwrap_or_default();
    if text("name").is_empty() {
        return Err(ApiError::BadRequest(format!(
            "the name of the object ({} based on URL) was undeterminable: name must be provided",
            place.name
        )));
    }
    if text("name") != place.name {
        return Err(ApiError::BadRequest(format!(
            "the name of the object ({}) does not match the name on the URL ({})",
            text("name"),
            place.name
        )));
    }
    if !matches!(text("namespace"), namespace if namespace.is_empty() || namespace == place.namespace) {
        return Err(other_namespace());
    }
    let uid = before["metadata"]["uid"].as_str().unwrap_or_default();
    if !text("uid").is_empty() && text("uid") != uid {
        return Err(if patched {
            let cause = Cause::invalid("metadata.uid", &json!(text("uid")), "field is immutable");
            ApiError::Invalid { subject: subject.clone(), causes: twice(cause).into() }
        } else {
            other_uid(kind, place, subject, text("uid"), uid)
        });
    }
    let deletion = fields.get("deletionTimestamp").filter(|time| time.is_string());
    if let Some(time) = deletion.filter(|time| before["metadata"]["deletionTimestamp"] != **time && patched) {
        let cause = Cause::invalid("metadata.deletionTimestamp", time, "field is immutable");
        return Err(ApiError::Invalid { subject: subject.clone(), causes: twice(cause).into() });
    }
    let version = text("resourceVersion");
    if !version.is_empty() && version.parse::<u64>().is_err() {
        return Err(ApiError::Internal(format!("strconv.ParseUint: parsing {version:?}: invalid syntax")));
    }
    if !version.is_empty() && version != "0" && before["metadata"]["resourceVersion"] != version {
        return Err(ApiError::stale(subject.clone()));
    }
    Ok(())
}

fn other_namespace() -> ApiError {
    ApiError::BadRequest(
        "the namespace of the provided object does not match the namespace sent on the request".to_owned(),
    )
}

fn other_uid(kind: &Kind, place: &Place, subject: &Subject, wanted: &str, found: &str) -> ApiError {
    let group = if kind.origin == Origin::Custom { format!("{}/", kind.group) } else { String::new() };
    let namespace = if place.namespace.is_empty() { String::new() } else { format!("{}/", place.namespace) };
    ApiError::Conflict {
        subject: subject.clone(),
        problem: format!(
            "StorageError: invalid object, Code: 4, Key: /registry/{group}{}/{namespace}{}, ResourceVersion: 0, \
             AdditionalErrorMsg: Precondition failed: UID in precondition: {wanted}, UID in object meta: {found}",
            kind.plural, place.name
        ),
    }
}

/// Fields that only the server sets.
fn keep_server_fields(object: &mut Value, before: &Value) {
    let fields = metadata_mut(object);
    for field in [
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generation",
    ] {
        match before["metadata"].get(field) {
            Some(value) => fields.insert(field.to_owned(), value.clone()),
            None => fields.remove(field),
        };
    }
}

fn copy_field(object: &mut Value, from: &Value, field: &str) {
    if let Some(object) = object.as_object_mut() {
        match from.get(field) {
            Some(value) => object.insert(field.to_owned(), value.clone()),
            None => object.remove(field),
        };
    }
}

fn copy_managed_fields(object: &mut Value, before: &Value) {
    let fields = metadata_mut(object);
    match before["metadata"].get("managedFields") {
        Some(value) => fields.insert("managedFields".to_owned(), value.clone()),
        None => fields.remove("managedFields"),
    };
}

fn with_status(before: &Value, object: &Value) -> Value {
    let mut result = before.clone();
    copy_field(&mut result, object, "status");
    if let Some(managed) = object["metadata"].get("managedFields") {
        metadata_mut(&mut result).insert("managedFields".to_owned(), managed.clone());
    }
    result
}

/// Whether anything but metadata changed; the status counts where it is part of the main resource.
fn spec_changed(kind: &Kind, object: &Value, before: &Value) -> bool {
    let (Some(object), Some(before)) = (object.as_object(), before.as_object()) else { return false };
    let counts = |field: &str| match field {
        "metadata" | "apiVersion" | "kind" => false,
        "status" => !kind.status_subresource,
        _ => true,
    };
    object.keys().chain(before.keys()).any(|field| counts(field) && object.get(field) != before.get(field))
}

fn new_finalizers(object: &Value, before: &Value) -> Vec<String> {
    let list = |value: &Value| -> Vec<String> {
        let list = value["metadata"]["finalizers"].as_array();
        list.into_iter().flatten().filter_map(Value::as_str).map(ToOwned::to_owned).collect()
    };
    let had = list(before);
    list(object).into_iter().filter(|name| !had.contains(name)).collect()
}
