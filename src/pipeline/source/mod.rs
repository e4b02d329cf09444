//! A source of the hub's objects: where it is, what it may hold, what of it is applied and what is taken away again.
//!
//! Takes addresses, manifests with their places, and the inventory of what was applied before; gives a whole set that may be
//! applied or all the reasons why not, and the steps from one set to the next. Must not touch: files, git, clients, the
//! clock. No address, error or record shows a credential.

mod address;
mod contents;
mod credentials;
mod inventory;
mod record;
mod templates;

pub use address::{AddressError, GitPlace, Origin, Reference, SourceAddress, Transport};
pub use contents::{APPLIED_KINDS, Desired, SourceFile, SourceObject, validate};
pub use credentials::{CredentialsError, GitCredentials};
pub use inventory::{Entry, Identity, Inventory, InventoryError, Live, Removal, Steps, plan};
pub use record::{Record, SOURCE_LABEL, record_name};
pub use templates::is_template;
