import Crypto
import Dashboard
import HTTPTypes
import Hummingbird
import JobModel
import NIOCore

/// The page for browsers and its files. They hold no data and need no token; what they show comes from the API, with the token
/// that the user gives them.
struct DashboardRoutes {
  private struct Served {
    let file: DashboardFile
    let tag: String
  }

  private static let files = Dictionary(
    uniqueKeysWithValues: DashboardFile.all.map { file in
      let digest = SHA256.hash(data: file.bytes).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
      return (file.name, Served(file: file, tag: "\"\(digest)\""))
    })

  /// The page loads scripts and styles of this daemon and talks to it; nothing inline, nothing from elsewhere, in nobody's frame.
  private static let headers: HTTPFields = {
    var headers: HTTPFields = [
      .contentSecurityPolicy: "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        + "form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
      .xContentTypeOptions: "nosniff",
      // Kept, but asked about each time: after an update no file of the version before is used.
      .cacheControl: "no-cache",
    ]
    let more = [
      ("Referrer-Policy", "no-referrer"), ("Cross-Origin-Opener-Policy", "same-origin"), ("Cross-Origin-Resource-Policy", "same-origin"),
    ]
    for case (let name?, let value) in more.map({ (HTTPField.Name($0.0), $0.1) }) { headers[name] = value }
    return headers
  }()

  var routes: [Route] {
    [
      .get("", query: nil, isOpen: true) { request, _ in try Self.answer(DashboardFile.page, request) },
      .get("dashboard/:file", query: nil, isOpen: true) { request, context in try Self.answer(context.pathText("file"), request) },
    ]
  }

  private static func answer(_ name: String, _ request: Request) throws -> Response {
    guard let served = files[name] else {
      throw Problem(
        .routeNotFound, status: 404, title: "There is no such route", detail: "the dashboard has no file \(name.prefix(80))")
    }
    var headers = headers
    headers[.eTag] = served.tag
    if let known = request.headers[.ifNoneMatch], EntityTag.matches(known, served.tag) {
      return Response(status: .notModified, headers: headers)
    }
    headers[.contentType] = served.file.contentType
    return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: served.file.bytes)))
  }
}
