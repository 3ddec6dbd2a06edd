//! Which image serves what, and how it is started.

use std::fmt;

use testcontainers::core::IntoContainerPort;
use testcontainers::{ContainerRequest, GenericImage, ImageExt};

use crate::address::{S3_KEY, S3_SECRET};
use crate::{Kind, Native};

/// A server's image.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Image {
    pub(crate) kind: Kind,
    /// The server in it.
    pub(crate) server: &'static str,
    name: &'static str,
    pub(crate) tag: &'static str,
    pub(crate) port: u16,
    command: &'static [&'static str],
    environment: &'static [(&'static str, &'static str)],
}

const MONGODB: Image = Image {
    kind: Kind::Mongo,
    server: "MongoDB",
    name: "mongo",
    tag: "8.0",
    port: 27017,
    // Transactions are for replica sets only.
    command: &["mongod", "--replSet", "rs0", "--bind_ip_all"],
    environment: &[],
};

const MINIO: Image = Image {
    kind: Kind::S3,
    server: "MinIO",
    name: "minio/minio",
    tag: "RELEASE.2025-09-07T16-13-09Z", // the last that was published as an image
    port: 9000,
    command: &["server", "/data"],
    environment: &[
        ("MINIO_ROOT_USER", S3_KEY),
        ("MINIO_ROOT_PASSWORD", S3_SECRET),
        ("MINIO_BROWSER", "off"),
        ("MINIO_UPDATE", "off"),
    ],
};

const AZURITE: Image = Image {
    kind: Kind::Azure,
    server: "Azurite",
    name: "mcr.microsoft.com/azure-storage/azurite",
    tag: Native::Azurite.version(),
    port: 10000,
    command: &[
        "azurite-blob",
        "--blobHost",
        "0.0.0.0",
        "--location",
        "/data",
        "--silent",
        "--disableTelemetry",
    ],
    environment: &[],
};

impl Image {
    /// The image for this kind. No image of Google Cloud Storage speaks what clients speak.
    pub(crate) const fn of(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Mongo => Some(MONGODB),
            Kind::S3 => Some(MINIO),
            Kind::Azure => Some(AZURITE),
            Kind::Gcs => None,
        }
    }

    /// What testcontainers is asked for. No condition to wait for: the server itself is asked whether it is ready.
    pub(crate) fn request(self, label: &str, value: &str) -> ContainerRequest<GenericImage> {
        let request = GenericImage::new(self.name, self.tag)
            .with_exposed_port(self.port.tcp())
            .with_cmd(self.command.iter().copied())
            .with_label(label, value);
        let set = |request: ContainerRequest<GenericImage>, &(name, value): &(&str, &str)| {
            request.with_env_var(name, value)
        };
        self.environment.iter().fold(request, set)
    }
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.tag)
    }
}

#[cfg(test)]
mod tests {
    use testcontainers::Image as _;

    use super::*;

    #[test]
    fn what_docker_is_asked_for() {
        let asked = |kind| {
            let request = Image::of(kind).unwrap().request("label", "value");
            assert_eq!(request.labels()["label"], "value");
            let image = format!("{}:{}", request.image().name(), request.image().tag());
            let command: Vec<String> = request.cmd().map(|word| word.into_owned()).collect();
            let mut names: Vec<String> = request.env_vars().map(|(name, _)| name.into_owned()).collect();
            names.sort();
            let ports = request.expose_ports().to_vec();
            (image, command.join(" "), names.join(" "), ports)
        };
        let (image, command, names, ports) = asked(Kind::Mongo);
        assert_eq!(image, "mongo:8.0");
        assert_eq!(command, "mongod --replSet rs0 --bind_ip_all");
        assert_eq!(names, "");
        assert_eq!(ports, [27017.tcp()]);

        let (image, command, names, ports) = asked(Kind::S3);
        assert_eq!(image, "minio/minio:RELEASE.2025-09-07T16-13-09Z");
        assert_eq!(command, "server /data");
        assert_eq!(
            names,
            "MINIO_BROWSER MINIO_ROOT_PASSWORD MINIO_ROOT_USER MINIO_UPDATE"
        );
        assert_eq!(ports, [9000.tcp()]);

        let (image, command, names, ports) = asked(Kind::Azure);
        assert_eq!(image, "mcr.microsoft.com/azure-storage/azurite:3.35.0");
        assert!(
            command.starts_with("azurite-blob --blobHost 0.0.0.0 "),
            "{command}"
        );
        assert_eq!(names, "");
        assert_eq!(ports, [10000.tcp()]);

        assert!(Image::of(Kind::Gcs).is_none());
    }
}
