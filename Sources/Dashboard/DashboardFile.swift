/// A file of the dashboard, embedded in the program.
package struct DashboardFile: Sendable {
  package let name: String
  package let bytes: [UInt8]

  /// The name of the page itself; the others are what it loads.
  package static let page = "index.html"

  package var contentType: String {
    switch name.split(separator: ".").last {
    case "html": "text/html; charset=utf-8"
    case "js": "text/javascript; charset=utf-8"
    case "css": "text/css; charset=utf-8"
    case "svg": "image/svg+xml"
    default: "application/octet-stream"
    }
  }
}
