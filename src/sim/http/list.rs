//! Reading: one object, or a list in pages.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::super::status::ApiError;
use super::super::store::{Place, from_stored};
use super::decode::json_problem;
use super::json_response;
use super::options::{self, Wanted};
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
    let form = Form::negotiate(&call.headers, call.query.text("includeObject"))?;
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
        decode().ok_or_else(|| {
            let bytes = URL_SAFE_NO_PAD.decode(token).unwrap_or_default();
            let parsed: Result<Value, _> = serde_json::from_slice(&bytes);
            let problem = parsed.err().map(|error| format!(": {}", json_problem(&bytes, &error)));
            ApiError::BadRequest(format!(
                "invalid continue token: continue key is not valid{}",
                problem.unwrap_or_default()
            ))
        })
    }
}

fn too_old() -> ApiError {
    ApiError::Expired(
        "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter."
            .to_owned(),
    )
}

/// `GET` of a collection.
pub(super) fn list(call: &Call, target: &Target) -> Result<Response, ApiError> {
    let wanted = options::of_list(&call.query)?;
    let limit = options::limit(&call.query)?;
    let filter = Filter::parse(&call.query, target)?;
    let from = call.query.text("continue").map(Continue::decode).transpose()?;
    let kind = &target.kind;
    let namespace = target.namespace.as_deref();
    let (version, found) = call.server.store().read(|state| {
        let current = state.version();
        let at = |version: u64| state.range_at(&kind.storage, namespace, version);
        let (version, all) = match (&from, wanted) {
            (Some(from), _) => (from.version, at(from.version).map_err(|_| too_old())?),
            (None, Wanted::Latest { at_least: asked } | Wanted::Exactly(asked)) if asked > current => {
                return Err(ApiError::TooLargeVersion { asked, current });
            }
            (None, Wanted::Exactly(version)) => (version, at(version)?),
            (None, Wanted::Latest { .. }) => {
                let all = state.range(&kind.storage, namespace);
                (current, all.map(|(place, object)| (place.clone(), Arc::clone(object))).collect())
            }
        };
        let kept = |place: &Place, object: &Manifest| {
            from.as_ref().is_none_or(|from| *place > from.after) && filter.keeps(object)
        };
        let found: Vec<(Place, Arc<Manifest>)> =
            all.into_iter().filter(|(place, object)| kept(place, object)).collect();
        Ok((version, found))
    })?;
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
    let form = Form::negotiate(&call.headers, call.query.text("includeObject"))?;
    Ok(json_response(StatusCode::OK, &form.list(kind, &items, &facts, call.server.clock().now())))
}
