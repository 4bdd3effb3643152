import Foundation
import HTTPTypes
import JobModel

/// What holds without tokens: programs on this machine may do everything, web pages in its browsers nothing. A page can make a
/// browser send requests to loopback addresses, also under a name of the page's own site (DNS rebinding).
enum LocalRules {
  private static let secFetchSite = HTTPField.Name("Sec-Fetch-Site")

  static func check(_ head: HTTPRequest) throws(Problem) {
    // Only HTTP/1.0 clients have none, and no browser is one.
    if let host = head.authority, !LoopbackName.isLoopback(authority: host) {
      throw Problem(
        .misdirectedRequest, status: 421, title: "The daemon is only for this machine",
        detail: "without auth.tokens, the Host must be localhost or a loopback address, is \"\(host.prefix(80))\"; "
          + "\"gptqd token new NAME\" makes a token for others")
    }
    guard head.method != .get, head.method != .head else { return }
    let site = secFetchSite.flatMap { head.headerFields[$0] }
    guard site != "cross-site", site != "same-site", isOwn(head.headerFields[.origin], head.authority) else {
      throw Problem(
        .forbidden, status: 403, title: "Web pages may not use the daemon",
        detail: "the request comes from a page of another site; configure auth.tokens and have the page's server send one")
    }
  }

  private static func isOwn(_ origin: String?, _ host: String?) -> Bool {
    guard let origin else { return true }
    guard let host else { return false }
    return ["http://" + host, "https://" + host].contains { $0.lowercased() == origin.lowercased() }
  }
}
