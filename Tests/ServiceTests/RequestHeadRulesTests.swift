import JobModel
import NIOHTTP1
import Service
import Testing

@Suite struct RequestHeadRulesTests {
  private static let rules = RequestHeadRules(bodyLimit: 100)

  struct Case: Sendable, CustomTestStringConvertible {
    var version = HTTPVersion.http1_1
    var method = HTTPMethod.POST
    var uri = "/v1/jobs"
    var host: [String] = ["localhost"]
    var fields: [String] = []
    /// nil: nothing is wrong.
    let status: Int?
    var testDescription: String { "\(version) \(method) \(uri) \(host) \(fields)" }

    var head: HTTPRequestHead {
      let pairs =
        host.map { ("Host", $0) }
        + fields.map { field in
          let parts = field.split(separator: ":", maxSplits: 1).map { $0.trimmingPrefix(" ") }
          return (String(parts[0]), parts.count > 1 ? String(parts[1]) : "")
        }
      return HTTPRequestHead(version: version, method: method, uri: uri, headers: HTTPHeaders(pairs))
    }
  }

  @Test(arguments: [
    Case(status: nil), Case(fields: ["Content-Length: 100"], status: nil), Case(fields: ["Content-Length: 101"], status: 413),
    Case(fields: ["Content-Length: 0100"], status: nil), Case(fields: ["Content-Length: 9999999999999999999999"], status: 413),
    Case(fields: ["Content-Length: 5", "Content-Length: 5"], status: 400), Case(fields: ["content-length: 5,5"], status: 400),
    Case(fields: ["Content-Length: +5"], status: 400), Case(fields: ["Content-Length:"], status: 400),
    Case(fields: ["Transfer-Encoding: chunked"], status: nil), Case(fields: ["transfer-encoding: Chunked"], status: nil),
    Case(fields: ["Transfer-Encoding: chunked", "Content-Length: 5"], status: 400),
    Case(fields: ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], status: 400),
    Case(fields: ["Transfer-Encoding: chunked, chunked"], status: 400), Case(fields: ["Transfer-Encoding: identity"], status: 400),
    Case(fields: ["Transfer-Encoding:"], status: 400), Case(version: .http1_0, fields: ["Transfer-Encoding: chunked"], status: 400),
    Case(version: .http1_0, host: [], status: nil), Case(version: .http1_0, host: ["a", "a"], status: 400),
    Case(version: .init(major: 1, minor: 2), status: 400), Case(version: .init(major: 2, minor: 0), status: 400),
    Case(host: [], status: 400), Case(host: [""], status: 400), Case(host: ["a", "b"], status: 400), Case(host: ["[::1]:80"], status: nil),
    Case(host: ["a:"], status: nil), Case(host: ["a:b"], status: 400), Case(host: ["a/b"], status: 400), Case(host: ["a@b"], status: 400),
    Case(host: ["::1"], status: 400), Case(host: ["a b"], status: 400), Case(host: ["a,b"], status: 400),
    Case(uri: "http://LOCALHOST/v1/jobs", status: nil), Case(uri: "http://localhost?x", status: nil),
    Case(uri: "http://localhost:80/", status: 400), Case(uri: "http://a/", status: 400), Case(uri: "ftp://localhost/", status: 400),
    Case(uri: "//localhost/", status: nil), Case(uri: "localhost", status: 400), Case(uri: "", status: 400), Case(uri: "*", status: 400),
    Case(method: .OPTIONS, uri: "*", status: nil), Case(uri: "/é", status: 400), Case(uri: "/a b", status: 400),
    Case(uri: "/#", status: 400),
    Case(uri: "/\u{7F}", status: 400), Case(method: .TRACE, status: 405), Case(method: .CONNECT, status: 405),
    Case(fields: ["Expect: 100-Continue"], status: nil), Case(fields: ["Expect: 100-continue, x"], status: 417),
    Case(fields: ["Expect:"], status: 417),
  ])
  func rules(_ example: Case) { #expect(Self.rules.problem(with: example.head)?.status == example.status) }
}
