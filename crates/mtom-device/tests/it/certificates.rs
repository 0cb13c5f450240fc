//! A certificate authority for one test.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SigningKey, date_time_ymd,
};

/// Issues certificates.
pub(crate) type Authority = CertifiedIssuer<'static, KeyPair>;

/// What a broker has: its certificate and those between it and the CA, and its key; both PEM.
pub(crate) struct Shown {
    pub(crate) chain: String,
    pub(crate) key: String,
}

pub(crate) fn authority(name: &str) -> Authority {
    CertifiedIssuer::self_signed(authority_params(name), KeyPair::generate().unwrap()).unwrap()
}

/// One that `root` vouches for.
pub(crate) fn under(root: &Authority, name: &str) -> Authority {
    CertifiedIssuer::signed_by(authority_params(name), KeyPair::generate().unwrap(), root).unwrap()
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = params(&[], name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

/// A broker's, for `names`: valid from 2025 to 2035.
pub(crate) fn broker(names: &[&str]) -> CertificateParams {
    let mut params = params(names, "broker");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

/// Valid from the first day of one year to that of another.
pub(crate) fn between(mut params: CertificateParams, from: i32, to: i32) -> CertificateParams {
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(to, 1, 1);
    params
}

fn params(names: &[&str], name: &str) -> CertificateParams {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    between(params, 2025, 2035)
}

/// `issuer` signs `params` with a new P-256 key.
pub(crate) fn issue(
    params: &CertificateParams,
    issuer: &rcgen::Issuer<'_, impl SigningKey>,
) -> Shown {
    issue_for(params, &KeyPair::generate().unwrap(), issuer)
}

pub(crate) fn issue_for(
    params: &CertificateParams,
    key: &KeyPair,
    issuer: &rcgen::Issuer<'_, impl SigningKey>,
) -> Shown {
    Shown { chain: params.signed_by(key, issuer).unwrap().pem(), key: key.serialize_pem() }
}
