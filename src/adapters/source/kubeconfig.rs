//! A person's kubeconfig file, made to stand on its own: one context, with everything it refers to embedded.

#![expect(clippy::disallowed_methods, reason = "files are read here")]

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube::config::{AuthInfo, Cluster, Context, Kubeconfig, NamedAuthInfo, NamedCluster, NamedContext};
use secrecy::SecretString;
use thiserror::Error;

use crate::yaml;

/// A kubeconfig file that cannot be handed to a hub. The text never quotes it.
#[derive(Debug, Error)]
pub enum FlattenError {
    /// The file cannot be read.
    #[error("failed to read {path}: {source}")]
    Unreadable {
        /// Path of the file.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// It is not a kubeconfig.
    #[error("failed to read {path}: it is not YAML of kind Config")]
    NotKubeconfig {
        /// Path of the file.
        path: String,
    },
    /// No context of the name, or none at all.
    #[error("failed to use {path}: {problem}")]
    Context {
        /// Path of the file.
        path: String,
        /// What is wrong.
        problem: String,
        /// The contexts that there are.
        contexts: Vec<String>,
    },
    /// The context names something that is not there.
    #[error("failed to use {path}: context {context:?} names {what} {name:?}, which is not in the file")]
    Dangling {
        /// Path of the file.
        path: String,
        /// The context.
        context: String,
        /// `cluster` or `user`.
        what: &'static str,
        /// The name that leads nowhere.
        name: String,
    },
    /// The user logs in by means of a program or service of this machine.
    #[error("failed to use {path}: user {user:?} logs in by `{field}`, which a hub cannot run")]
    Plugin {
        /// Path of the file.
        path: String,
        /// The user.
        user: String,
        /// `exec` or `auth-provider`.
        field: &'static str,
    },
    /// A file that it refers to cannot be read.
    #[error("failed to read {referred}, the `{field}` of {path}: {source}")]
    Referred {
        /// Path of the kubeconfig.
        path: String,
        /// The field.
        field: &'static str,
        /// Path of the other file.
        referred: String,
        /// Why not.
        source: std::io::Error,
    },
    /// It cannot be written down again.
    #[error("failed to embed what {path} refers to")]
    Unwritable {
        /// Path of the file.
        path: String,
    },
}

/// A kubeconfig that stands on its own.
#[derive(Debug)]
pub struct Flattened {
    /// Its text.
    pub text: SecretString,
    /// Address of the cluster.
    pub server: String,
    /// The context that was taken.
    pub context: String,
}

/// Reads a kubeconfig file and embeds what its context refers to. Without `context` the current one is taken.
pub fn flatten(path: &Path, context: Option<&str>) -> Result<Flattened, FlattenError> {
    let selected = select(path, context)?;
    let user = embedded_user(&selected.shown, &selected.user_name, selected.user.clone())?;
    written(selected, user)
}

/// The same for another user, who has a token: the person of the file is left out.
pub fn flatten_with_token(
    path: &Path,
    context: Option<&str>,
    token: &SecretString,
) -> Result<Flattened, FlattenError> {
    let selected = select(path, context)?;
    let user = AuthInfo { token: Some(token.clone()), ..AuthInfo::default() };
    written(Selected { user_name: "flotilla".to_owned(), ..selected }, user)
}

/// What a context of a file leads to.
struct Selected {
    shown: String,
    context: String,
    cluster_name: String,
    cluster: Cluster,
    user_name: String,
    user: AuthInfo,
}

fn select(path: &Path, context: Option<&str>) -> Result<Selected, FlattenError> {
    let shown = path.display().to_string();
    let unreadable = |source| FlattenError::Unreadable { path: shown.clone(), source };
    std::fs::metadata(path).map_err(unreadable)?;
    let whole =
        Kubeconfig::read_from(path).map_err(|_| FlattenError::NotKubeconfig { path: shown.clone() })?;
    let name = chosen(&shown, &whole, context)?;
    let dangling = |what, named: &str| FlattenError::Dangling {
        path: shown.clone(),
        context: name.clone(),
        what,
        name: named.to_owned(),
    };
    let named_context = whole.contexts.into_iter().find(|candidate| candidate.name == name);
    let Some(inner) = named_context.and_then(|named| named.context) else {
        return Err(dangling("context", &name));
    };
    let cluster = whole
        .clusters
        .into_iter()
        .find(|candidate| candidate.name == inner.cluster)
        .and_then(|named| named.cluster)
        .ok_or_else(|| dangling("cluster", &inner.cluster))?;
    let user_name = inner.user.unwrap_or_default();
    let user = whole
        .auth_infos
        .into_iter()
        .find(|candidate| candidate.name == user_name)
        .and_then(|named| named.auth_info)
        .ok_or_else(|| dangling("user", &user_name))?;
    Ok(Selected { shown, context: name, cluster_name: inner.cluster, cluster, user_name, user })
}

fn written(selected: Selected, user: AuthInfo) -> Result<Flattened, FlattenError> {
    let Selected { shown, context, cluster_name, cluster, user_name, user: _ } = selected;
    let server = cluster.server.clone().unwrap_or_default();
    let flat = Kubeconfig {
        api_version: Some("v1".to_owned()),
        kind: Some("Config".to_owned()),
        current_context: Some(context.clone()),
        contexts: vec![NamedContext {
            name: context.clone(),
            context: Some(Context {
                cluster: cluster_name.clone(),
                user: Some(user_name.clone()),
                ..Context::default()
            }),
            ..NamedContext::default()
        }],
        clusters: vec![NamedCluster {
            name: cluster_name,
            cluster: Some(embedded_cluster(&shown, cluster)?),
            ..NamedCluster::default()
        }],
        auth_infos: vec![NamedAuthInfo {
            name: user_name,
            auth_info: Some(user),
            ..NamedAuthInfo::default()
        }],
        ..Kubeconfig::default()
    };
    let text = serde_json::to_value(&flat).ok().and_then(|value| yaml::write(&value).ok());
    match text {
        Some(text) => Ok(Flattened { text: SecretString::from(text), server, context }),
        None => Err(FlattenError::Unwritable { path: shown }),
    }
}

fn chosen(path: &str, whole: &Kubeconfig, context: Option<&str>) -> Result<String, FlattenError> {
    let contexts: Vec<String> = whole.contexts.iter().map(|context| context.name.clone()).collect();
    let current = whole.current_context.as_deref().filter(|name| !name.is_empty());
    let fault = |problem: String| {
        Err(FlattenError::Context { path: path.to_owned(), problem, contexts: contexts.clone() })
    };
    match context.or(current) {
        Some(name) if contexts.iter().any(|candidate| candidate == name) => Ok(name.to_owned()),
        Some(name) => fault(format!("it has no context {name:?}")),
        None if contexts.is_empty() => Err(FlattenError::NotKubeconfig { path: path.to_owned() }),
        None => fault("it has no current context".to_owned()),
    }
}

fn read(path: &str, field: &'static str, referred: &str) -> Result<Vec<u8>, FlattenError> {
    std::fs::read(referred).map_err(|source| FlattenError::Referred {
        path: path.to_owned(),
        field,
        referred: referred.to_owned(),
        source,
    })
}

fn embedded_cluster(path: &str, mut cluster: Cluster) -> Result<Cluster, FlattenError> {
    if let Some(referred) = cluster.certificate_authority.take()
        && cluster.certificate_authority_data.is_none()
    {
        let bytes = read(path, "certificate-authority", &referred)?;
        cluster.certificate_authority_data = Some(STANDARD.encode(bytes));
    }
    Ok(cluster)
}

fn embedded_user(path: &str, name: &str, mut user: AuthInfo) -> Result<AuthInfo, FlattenError> {
    for (present, field) in [(user.exec.is_some(), "exec"), (user.auth_provider.is_some(), "auth-provider")] {
        if present {
            return Err(FlattenError::Plugin { path: path.to_owned(), user: name.to_owned(), field });
        }
    }
    if let Some(referred) = user.token_file.take()
        && user.token.is_none()
    {
        let bytes = read(path, "tokenFile", &referred)?;
        user.token = Some(SecretString::from(String::from_utf8_lossy(&bytes).trim().to_owned()));
    }
    if let Some(referred) = user.client_certificate.take()
        && user.client_certificate_data.is_none()
    {
        user.client_certificate_data = Some(STANDARD.encode(read(path, "client-certificate", &referred)?));
    }
    if let Some(referred) = user.client_key.take()
        && user.client_key_data.is_none()
    {
        let encoded = STANDARD.encode(read(path, "client-key", &referred)?);
        user.client_key_data = Some(SecretString::from(encoded));
    }
    Ok(user)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    const FILE: &str = "apiVersion: v1\nkind: Config\ncurrent-context: one\n\
        clusters:\n- name: c\n  cluster: {server: \"https://c:6443\", certificate-authority: ca.crt}\n\
        users:\n- name: u\n  user: {tokenFile: token}\n\
        - name: plugin\n  user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: aws}}\n\
        contexts:\n- name: one\n  context: {cluster: c, user: u}\n\
        - name: two\n  context: {cluster: c, user: plugin}\n\
        - name: three\n  context: {cluster: gone, user: u}\n";

    fn file(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("ca.crt"), "CA").unwrap();
        std::fs::write(directory.path().join("token"), "top-secret\n").unwrap();
        let path = directory.path().join("config");
        std::fs::write(&path, text).unwrap();
        (directory, path)
    }

    #[test]
    fn files_are_embedded_and_other_contexts_left_out() {
        let (_directory, path) = file(FILE);
        let flat = flatten(&path, None).unwrap();
        assert_eq!((flat.server.as_str(), flat.context.as_str()), ("https://c:6443", "one"));
        let text = flat.text.expose_secret();
        let read: Kubeconfig = Kubeconfig::from_yaml(text).unwrap();
        let user = read.auth_infos[0].auth_info.as_ref().unwrap();
        assert_eq!(user.token.as_ref().unwrap().expose_secret(), "top-secret");
        assert!(user.token_file.is_none());
        let cluster = read.clusters[0].cluster.as_ref().unwrap();
        assert_eq!(cluster.certificate_authority_data.as_deref(), Some("Q0E="));
        assert!(cluster.certificate_authority.is_none());
        assert_eq!((read.contexts.len(), read.auth_infos.len()), (1, 1));
        assert!(!format!("{flat:?}").contains("top-secret"));
    }

    #[test]
    fn another_user_takes_the_place_of_the_person() {
        let (_directory, path) = file(FILE);
        let token = SecretString::from("given".to_owned());
        let flat = flatten_with_token(&path, Some("two"), &token).unwrap();
        let read: Kubeconfig = Kubeconfig::from_yaml(flat.text.expose_secret()).unwrap();
        let [user] = read.auth_infos.as_slice() else { panic!("one user: {read:?}") };
        let info = user.auth_info.as_ref().unwrap();
        assert_eq!(info.token.as_ref().unwrap().expose_secret(), "given");
        assert!(info.exec.is_none(), "nothing of the person is left");
        let context = read.contexts[0].context.as_ref().unwrap();
        assert_eq!(context.user.as_ref(), Some(&user.name));
        let cluster = read.clusters[0].cluster.as_ref().unwrap();
        assert_eq!(cluster.certificate_authority_data.as_deref(), Some("Q0E="));
    }

    #[test]
    fn what_a_hub_cannot_use_is_refused() {
        let (_directory, path) = file(FILE);
        let told = |context| flatten(&path, Some(context)).unwrap_err().to_string();
        assert!(
            told("two").ends_with("user \"plugin\" logs in by `exec`, which a hub cannot run"),
            "{}",
            told("two")
        );
        assert!(
            told("three").ends_with("names cluster \"gone\", which is not in the file"),
            "{}",
            told("three")
        );
        assert!(told("four").ends_with("it has no context \"four\""), "{}", told("four"));
        let (_directory, path) = file("top-secret: [");
        let error = flatten(&path, None).unwrap_err().to_string();
        assert!(error.ends_with("it is not YAML of kind Config") && !error.contains("top-secret"), "{error}");
        assert!(matches!(flatten(Path::new("/gone"), None), Err(FlattenError::Unreadable { .. })));
        let (_directory, path) = file("apiVersion: v1\nkind: ConfigMap\n");
        assert!(matches!(flatten(&path, None), Err(FlattenError::NotKubeconfig { .. })));
    }
}
