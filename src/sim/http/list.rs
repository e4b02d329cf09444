//! Reading: one object, or a list in pages.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::super::status::ApiError;
use super::super::store::{Place, from_stored};
use super::json_response;
use super::output::{Form, ListFacts};
use super::request::{Call, Target};
use super::selectors::Filter;
use crate::api::object::Manifest;

/// `GET` of one object.
pub(super) fn get(call: &Call, target: &Target) -> Result<Response, ApiError> {
    let stored =
        call.server.store().read(|state| state.stored(&target.kind.storage, &target.place()).cloned());
    let stored = stored.ok_or_else(|| ApiError::NotFound(target.subject()))?;
    let object = from_stored(&target.kind, &stored);
    let form = Form::negotiate(&call.headers, call.query.text("includeObject"));
    Ok(json_response(StatusCode::OK, &form.object(&target.kind, &object, call.server.clock().now())))
}

/// Where a list goes on.
struct Continue {
    version: u64,
    after: Place,
}

impl Continue {
    fn encode(&self) -> String {
        let token = json!({"rv": self.version, "namespace": self.after.namespace, "name": self.after.name});
        URL_SAFE_NO_PAD.encode(token.to_string())
    }

    fn decode(token: &str) -> Result<Self, ApiError> {
        let decode = || {
            let token: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
            let after = Place::new(token["namespace"].as_str()?, token["name"].as_str()?);
            Some(Self { version: token["rv"].as_u64()?, after })
        };
        decode().ok_or_else(|| ApiError::BadRequest("continue key is not valid".to_owned()))
    }
}

/// `GET` of a collection.
pub(super) fn list(call: &Call, target: &Target) -> Result<Response, ApiError> {
    let filter = Filter::parse(&call.query, target)?;
    let from = call.query.text("continue").map(Continue::decode).transpose()?;
    let limit = call.query.number("limit").and_then(|limit| usize::try_from(limit).ok()).unwrap_or(0);
    let kind = &target.kind;
    let (version, found) = call.server.store().read(|state| {
        if let Some(from) = &from
            && state.since(from.version).is_err()
        {
            return Err(ApiError::Expired(
                "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter."
                    .to_owned(),
            ));
        }
        let found: Vec<(Place, Arc<Manifest>)> = state
            .range(&kind.storage, target.namespace.as_deref())
            .filter(|(place, object)| {
                from.as_ref().is_none_or(|from| **place > from.after) && filter.keeps(object)
            })
            .map(|(place, object)| (place.clone(), Arc::clone(object)))
            .collect();
        Ok((state.version(), found))
    })?;
    let version = from.map_or(version, |from| from.version);
    let shown = if limit == 0 { found.len() } else { limit.min(found.len()) };
    let rest = found.len() - shown;
    let continue_token = match found.get(shown.wrapping_sub(1)) {
        Some((place, _)) if rest > 0 => Continue { version, after: place.clone() }.encode(),
        _ => String::new(),
    };
    let items: Vec<Arc<Manifest>> =
        found[..shown].iter().map(|(_, object)| from_stored(kind, object)).collect();
    let facts = ListFacts {
        resource_version: version.to_string(),
        continue_token,
        remaining: (rest > 0 && filter.is_empty()).then_some(rest),
    };
    let form = Form::negotiate(&call.headers, call.query.text("includeObject"));
    Ok(json_response(StatusCode::OK, &form.list(kind, &items, &facts, call.server.clock().now())))
}
