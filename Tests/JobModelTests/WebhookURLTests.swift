import JobModel
import Testing

@Suite struct WebhookURLTests {
  @Test(
    "A URL is read in one way only",
    arguments: [
      ("https://example.com", "https://example.com/", "example.com:443"),
      ("HTTPS://EXAMPLE.COM/a", "https://example.com/a", "example.com:443"),
      ("http://example.com:80/", "http://example.com/", "example.com:80"),
      ("https://example.com:8443?x=1", "https://example.com:8443/?x=1", "example.com:8443"),
      ("http://example.com/a/../b?c=%2F&d=@:[]", "http://example.com/a/../b?c=%2F&d=@:[]", "example.com:80"),
      ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/", "xn--bcher-kva.example:443"),
      ("http://127.0.0.1:9000/hook", "http://127.0.0.1:9000/hook", "127.0.0.1:9000"), ("http://[::1]/", "http://[::1]/", "[::1]:80"),
      ("http://[2001:DB8:0:0:0:0:0:1]:81/", "http://[2001:db8::1]:81/", "[2001:db8::1]:81"),
      ("http://localhost/", "http://localhost/", "localhost:80"), ("http://a1.2b/", "http://a1.2b/", "a1.2b:80"),
    ])
  func reads(text: String, canonical: String, authority: String) throws {
    let url = try WebhookURL(text)
    #expect(url.description == canonical)
    #expect(url.authority == authority)
    #expect(try WebhookURL(canonical) == url)
  }

  @Test(
    "What two programs could read differently is refused",
    arguments: [
      // No or other schemes.
      "", "example.com", "//example.com", "/hook", "ftp://example.com", "file:///etc/passwd", "javascript:alert(1)", "http:/example.com",
      "http:example.com",
      "gopher://example.com:70/x", "https//example.com", " https://example.com", "ht\ntp://example.com", "https:\\\\example.com",
      "unix:///run/x",
      // Users.
      "https://allowed.example@evil.example/", "https://user:password@example.com/", "https://@example.com/",
      "https://example.com:443@evil.example/",
      "https://evil.example\\@allowed.example/", "https://allowed.example%40evil.example/",
      // Hosts.
      "https://", "https:///path", "https://?x", "https://:443/", "https://example.com./", "https://example..com/", "https://.example.com/",
      "https://./",
      "https://-example.com/", "https://example-.com/", "https://exa_mple.com/", "https://exa mple.com/", "https://exam%70le.com/",
      "https://bücher.example/",
      "https://ｅxample.com/", "https://example。com/", "https://example.com\u{0}.evil.example/", "https://example.com\t/",
      "https://example.com\r\nX: y/",
      "https://example.com\\.evil.example/", "https://example,com/", "https://example.com;evil.example/", "https://*.example.com/",
      "https://$host/",
      "https://" + String(repeating: "a", count: 64) + ".com/", "https://" + String(repeating: "a.", count: 130) + "com/",
      // Addresses.
      "http://127.1/", "http://2130706433/", "http://0x7f000001/", "http://0x7f.1/", "http://0177.0.0.1/", "http://127.0.0.01/",
      "http://127.0.0.256/",
      "http://127.0.0.1.1/", "http://127.0.0.0x1/", "http://1.2.3/", "http://example.1/", "http://[::1/", "http://::1/", "http://[]/",
      "http://[::1%25lo]/", "http://[::1%lo]/",
      "http://[127.0.0.1]/", "http://[example.com]/", "http://[::1]x/", "http://[::1]]/", "http://[[::1]]/", "http://[v1.x]/",
      "http://[:::]/", "http://[1:2:3:4:5:6:7:8:9]/",
      // Ports.
      "http://example.com:/", "http://example.com:0/", "http://example.com:65536/", "http://example.com:-1/", "http://example.com:+80/",
      "http://example.com:080/",
      "http://example.com:80:81/", "http://example.com:8０/", "http://example.com:http/", "http://example.com:99999999999999999999/",
      "http://[::1]:/",
      // The rest.
      "https://example.com/#part", "https://example.com#@evil.example/", "https://example.com/%", "https://example.com/%2",
      "https://example.com/%zz", "https://example.com/a b",
      "https://example.com/é", "https://example.com/\"", "https://example.com/<>", "https://example.com/{}", "https://example.com/`",
      "https://example.com/" + String(repeating: "a", count: WebhookURL.lengthLimit),
    ])
  func refuses(text: String) {
    let error = #expect(throws: WebhookURL.Invalid.self) { try WebhookURL(text) }
    #expect(error.map { $0.description.count < 250 } == true)
  }
}
