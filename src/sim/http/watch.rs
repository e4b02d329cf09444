//! Watches: a stream of JSON lines that follows the store's history from a resource version on.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::super::faults::{Fault, FaultState};
use super::super::kinds::{Kind, Origin};
use super::super::server::Server;
use super::super::status::ApiError;
use super::super::store::{Change, ChangeKind, State, from_stored};
use super::options;
use super::output::Form;
use super::request::{Call, Target};
use super::selectors::Filter;
use crate::api::object::Manifest;

/// A watch without `timeoutSeconds` ends after this time.
const LONGEST: Duration = Duration::from_secs(1800);
/// Time between two bookmarks.
const BOOKMARKS: Duration = Duration::from_secs(60);

/// `GET` with `watch`.
pub(super) fn watch(call: &Call, target: &Target) -> Result<Response, ApiError> {
    let filter = Filter::parse(&call.query, target)?;
    let query = &call.query;
    let initial = query.flag("sendInitialEvents");
    let from = Some(options::of_watch(query)?).filter(|version| *version > 0);
    let now = Instant::now();
    let timeout = query.number("timeoutSeconds").map_or(LONGEST, Duration::from_secs);
    let mut stream = Stream {
        server: Arc::clone(&call.server),
        kind: Arc::clone(&target.kind),
        namespace: target.namespace.clone(),
        filter,
        form: Form::negotiate(&call.headers, query.text("includeObject"))?,
        columns_told: false,
        bookmarks: query.flag("allowWatchBookmarks"),
        position: 0,
        lines: VecDeque::new(),
        ending: false,
        deadline: now + timeout,
        next_bookmark: now + BOOKMARKS,
        versions: call.server.store().versions(),
        faults: call.server.faults().subscribe(),
        seen: *call.server.faults().subscribe().borrow(),
    };
    match from {
        Some(version) if !initial => stream.position = version,
        Some(_) | None => stream.start_with_all(initial, query.text("sendInitialEvents") == Some("false")),
    }
    let lines = futures::stream::unfold(stream, |mut stream| async move {
        let line = stream.next().await?;
        Some((Ok::<Bytes, Infallible>(line), stream))
    });
    let response = Response::builder().status(StatusCode::OK).header(CONTENT_TYPE, "application/json");
    Ok(response
        .body(Body::from_stream(lines))
        .unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response()))
}

struct Stream {
    server: Arc<Server>,
    kind: Arc<Kind>,
    namespace: Option<String>,
    filter: Filter,
    form: Form,
    /// Whether a table has told its columns: only the first one does.
    columns_told: bool,
    bookmarks: bool,
    /// Everything up to this resource version has been told.
    position: u64,
    lines: VecDeque<Bytes>,
    ending: bool,
    deadline: Instant,
    next_bookmark: Instant,
    versions: watch::Receiver<u64>,
    faults: watch::Receiver<FaultState>,
    seen: FaultState,
}

impl Stream {
    fn start_with_all(&mut self, mark_end: bool, skip: bool) {
        let now = self.server.clock().now();
        let (version, objects) = self.server.store().read(|state| {
            let objects = state.range(&self.kind.storage, self.namespace.as_deref());
            let objects = objects.map(|(_, object)| object).filter(|object| self.filter.keeps(object));
            (state.version(), objects.cloned().collect::<Vec<_>>())
        });
        self.position = version;
        if !skip {
            for object in objects {
                self.push("ADDED", &object, now);
            }
        }
        if mark_end {
            self.push_bookmark(true);
        }
    }

    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(line) = self.lines.pop_front() {
                return Some(line);
            }
            if self.ending {
                return None;
            }
            self.versions.mark_unchanged();
            self.read_history();
            if self.lines.is_empty() && !self.ending {
                self.wait().await;
            }
        }
    }

    fn read_history(&mut self) {
        if self.faults.borrow().fault == Fault::Hang {
            return;
        }
        let read = |state: &State| {
            let changes: Vec<Arc<Change>> = state.since(self.position)?.cloned().collect();
            let offered = self.kind.origin != Origin::Custom
                || state.kinds().at_path(&self.kind.group, &self.kind.version, &self.kind.plural).is_some();
            Ok((state.version(), changes, offered))
        };
        match self.server.store().read(read) {
            Ok((version, changes, offered)) => {
                let now = self.server.clock().now();
                for change in changes {
                    self.tell(&change, now);
                }
                self.position = version;
                self.ending = !offered;
            }
            Err(error) => self.fail(&error),
        }
    }

    fn tell(&mut self, change: &Change, now: Timestamp) {
        if change.resource != self.kind.storage
            || self.namespace.as_deref().is_some_and(|namespace| change.object.namespace() != Some(namespace))
        {
            return;
        }
        let keeps = |object: &Manifest| self.filter.is_empty() || self.filter.keeps(object);
        let name = match &change.kind {
            ChangeKind::Added => keeps(&change.object).then_some("ADDED"),
            ChangeKind::Deleted(before) => (keeps(before) || keeps(&change.object)).then_some("DELETED"),
            ChangeKind::Modified(before) => match (keeps(before), keeps(&change.object)) {
                (true, true) => Some("MODIFIED"),
                (true, false) => {
                    // What leaves is told as it was, under the version of the change.
                    let mut last = before.to_value();
                    last["metadata"]["resourceVersion"] = json!(change.version.to_string());
                    if let Ok(last) = Manifest::parse(last) {
                        self.push("DELETED", &Arc::new(last), now);
                    }
                    None
                }
                (false, true) => Some("ADDED"),
                (false, false) => None,
            },
        };
        if let Some(name) = name {
            self.push(name, &change.object, now);
        }
    }

    fn push(&mut self, name: &str, object: &Arc<Manifest>, now: Timestamp) {
        let object = from_stored(&self.kind, object);
        let value = self.form.object(&self.kind, &object, now);
        self.push_form(name, value);
    }

    fn push_form(&mut self, name: &str, value: Value) {
        let value = match self.form {
            Form::Table(_) if self.columns_told => super::table::without_columns(value),
            Form::Table(_) | Form::Whole | Form::Metadata => value,
        };
        self.columns_told = true;
        self.push_value(name, &value);
    }

    fn push_value(&mut self, name: &str, object: &Value) {
        self.lines.push_back(Bytes::from(format!("{{\"type\":\"{name}\",\"object\":{object}}}\n")));
    }

    fn push_bookmark(&mut self, end_of_initial: bool) {
        let mut metadata = json!({"resourceVersion": self.position.to_string()});
        if end_of_initial {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let object = match self.form {
            Form::Whole => {
                json!({"apiVersion": self.kind.api_version(), "kind": self.kind.kind, "metadata": metadata})
            }
            Form::Metadata => {
                json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": metadata})
            }
            Form::Table(_) => {
                let mut table = super::table::head(&self.kind, &self.position.to_string());
                table["rows"] = json!([{"cells": super::table::empty_cells(&self.kind), "object": {"apiVersion": "meta.k8s.io/v1",
                    "kind": "PartialObjectMetadata", "metadata": metadata}}]);
                table
            }
        };
        self.push_form("BOOKMARK", object);
    }

    fn fail(&mut self, error: &ApiError) {
        self.push_value("ERROR", &error.to_status());
        self.ending = true;
    }

    /// Waits for a change, the end, a bookmark's time or a fault.
    async fn wait(&mut self) {
        let stop = self.server.stop().clone();
        tokio::select! {
            () = stop.cancelled() => self.ending = true,
            () = sleep_until(self.deadline) => self.ending = true,
            () = sleep_until(self.next_bookmark) => {
                self.next_bookmark = Instant::now() + BOOKMARKS;
                if self.bookmarks && self.seen.fault != Fault::Hang {
                    self.push_bookmark(false);
                }
            }
            changed = self.versions.changed() => self.ending = changed.is_err(),
            changed = self.faults.changed() => {
                self.ending = changed.is_err();
                self.meet_fault();
            }
        }
    }

    fn meet_fault(&mut self) {
        let state = *self.faults.borrow_and_update();
        if state.expirations != self.seen.expirations {
            self.fail(&ApiError::Expired(
                "The resourceVersion for the provided watch is too old.".to_owned(),
            ));
        }
        if state.closures != self.seen.closures || matches!(state.fault, Fault::Refuse | Fault::Unauthorized)
        {
            self.ending = true;
        }
        self.seen = state;
    }
}
