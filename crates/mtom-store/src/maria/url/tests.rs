use super::{Tls, Url};

#[track_caller]
fn check(text: &str, expected: &str) {
    let url: Url = text.parse().unwrap();
    let found = format!(
        "{} {} {} {} {:?} {:?} {:?}",
        url.user, url.host, url.port, url.database, url.tls, url.ca, url.socket
    );
    assert_eq!(found, expected);
}

#[track_caller]
fn check_refused(text: &str, part: &str) {
    let error = text.parse::<Url>().unwrap_err().to_string();
    assert!(error.contains(part), "{error}");
    assert!(error.contains("expected mysql://user@host"), "{error}");
}

#[test]
fn an_url_names_user_host_port_and_database() {
    check("mysql://mtom@db.example/mtom", "mtom db.example 3306 mtom Verify None None");
    check("mariadb://m%40x@10.0.0.7:3307/a%20b", "m@x 10.0.0.7 3307 a b Verify None None");
    check("mysql://u@[fe80::1]:33/d", "u fe80::1 33 d Verify None None");
    check("mysql://u@[::1]/d", "u ::1 3306 d Off None None");
}

#[test]
fn what_stays_on_the_machine_needs_no_tls_and_what_leaves_it_is_verified() {
    check("mysql://u@localhost/d", "u localhost 3306 d Off None None");
    check("mysql://u@127.0.0.1/d?tls=required", "u 127.0.0.1 3306 d Required None None");
    check("mysql://u@localhost/d?ca=/a.pem", "u localhost 3306 d Verify Some(\"/a.pem\") None");
    check("mysql://u@h/d?tls=off", "u h 3306 d Off None None");
    check(
        "mysql://root@localhost/d?socket=/run/mysqld/mysqld.sock",
        "root localhost 3306 d Off None Some(\"/run/mysqld/mysqld.sock\")",
    );
}

#[test]
fn a_password_in_the_url_is_refused_and_not_shown() {
    let error = "mysql://u:se@cr:et@h/d".parse::<Url>().unwrap_err().to_string();
    assert!(error.contains("store.password_file"), "{error}");
    assert!(error.contains("MTOM_STORE_PASSWORD"), "{error}");
    assert!(!error.contains("cr:et"), "{error}");
}

#[test]
fn what_is_no_url_is_refused_with_what_is_expected() {
    check_refused("postgres://u@h/d", "begins with mysql://");
    check_refused("mysql://h/d", "no user");
    check_refused("mysql://u@h", "no database");
    check_refused("mysql://u@h/", "name of the database");
    check_refused("mysql://@h/d", "name of the user");
    check_refused("mysql://u@h:0/d", "`0` is no port");
    check_refused("mysql://u@h:x/d", "`x` is no port");
    check_refused("mysql://u@::1/d", "brackets");
    check_refused("mysql://u@[::1/d", "no ]");
    check_refused("mysql://u@[h]/d", "no IPv6 address");
    check_refused("mysql://u@/d", "is no host");
    check_refused("mysql://u@h/d?tls=maybe", "no value of tls");
    check_refused("mysql://u@h/d?ssl=1", "`ssl` is no option");
    check_refused("mysql://u@h/d?tls=off&ca=/a", "only used with tls=verify");
    check_refused("mysql://u@h/d%2", "two hexadecimal digits");
    check_refused("mysql://u@h/a/b", "`a/b` is no name");
}

#[test]
fn an_url_is_shown_as_it_was_written() {
    for text in ["mysql://m%40x@10.0.0.7:3307/a%20b", "mysql://u@[fe80::1]:33/d"] {
        let url: Url = text.parse().unwrap();
        assert_eq!(url.to_string(), text);
        assert_eq!(url.to_string().parse::<Url>().unwrap(), url);
    }
    assert!(Url::is_meant("mysql://x"));
    assert!(!Url::is_meant("/var/lib/mtom.db"));
    assert_eq!("mysql://u@h/d".parse::<Url>().unwrap().tls, Tls::Verify);
}
