import Dashboard
import Foundation
import JobModel
import Service
import Testing

@Suite struct DashboardRoutesTests {
  private static let sources = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Sources/Dashboard/Files")

  private static func path(of file: DashboardFile) -> String { file.name == DashboardFile.page ? "/" : "/dashboard/\(file.name)" }

  @Test func everyFileOfTheFolderIsInTheProgram() throws {
    let names = try FileManager.default.contentsOfDirectory(atPath: Self.sources.path).sorted()
    #expect(DashboardFile.all.map(\.name).sorted() == names)
    for file in DashboardFile.all {
      #expect(try Data(contentsOf: Self.sources.appending(component: file.name)) == Data(file.bytes), "\(file.name)")
    }
  }

  @Test func filesAreServedToAnybodyWithStrictHeaders() async throws {
    let token = try AccessToken.make(name: "one", scope: .read)
    try await TestServer.run(["GPTQD_AUTH_TOKENS": token.token.configurationLine]) { server in
      for file in DashboardFile.all {
        let answer = try await server.send("GET", Self.path(of: file))
        #expect(answer.status == 200, "\(file.name)")
        #expect(answer.body == Data(file.bytes), "\(file.name)")
        #expect(
          answer.headers["content-security-policy"]
            == "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
            + "form-action 'none'; base-uri 'none'; frame-ancestors 'none'")
        #expect(answer.headers["x-content-type-options"] == "nosniff")
        #expect(answer.headers["referrer-policy"] == "no-referrer")
        #expect(answer.headers["cache-control"] == "no-cache")
        let types = ["html": "text/html; charset=utf-8", "js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8"]
        let ending = String(file.name.split(separator: ".").last ?? "")
        #expect(answer.headers["content-type"] == types[ending] ?? "image/svg+xml", "\(file.name)")
      }
    }
  }

  @Test func aFileThatIsKnownIsntSentAgain() async throws {
    try await TestServer.run { server in
      for path in ["/", "/dashboard/app.js"] {
        let answer = try await server.send("GET", path)
        let tag = try #require(answer.headers["etag"])
        #expect(tag == "\"\(FakeEngine.sha256(answer.body))\"")
        let head = try await server.send("HEAD", path)
        #expect(head.status == 200 && head.body.isEmpty)
        #expect(head.headers["etag"] == tag)
        #expect(head.headers["content-length"] == "\(answer.body.count)")
        for known in [tag, "W/\(tag)", "\"x\", \(tag)", "*"] {
          let again = try await server.send("GET", path, ["If-None-Match": known])
          #expect(again.status == 304 && again.body.isEmpty, "\(known)")
          #expect(again.headers["etag"] == tag)
        }
        #expect(try await server.send("GET", path, ["If-None-Match": "\"x\""]).status == 200)
        #expect(try await server.send("GET", path + "?from=somewhere").status == 200)
      }
    }
  }

  @Test(arguments: ["x", "index", "..", "..%2Fapp.js", "%2e%2e%2findex.html", "app.js%00", "app.js/", "APP.JS", "%FF", "app.js%2F..", "."])
  func otherFilesAreNotFound(name: String) async throws {
    try await TestServer.run { server in
      let answer = try await server.send("GET", "/dashboard/" + name)
      // A slash at the end is no other path, here as everywhere.
      guard name != "app.js/" else { return #expect(answer.status == 200) }
      #expect(answer.status == 404, "\(name)")
      #expect(try answer.problem().code == .routeNotFound)
    }
  }

  @Test func withoutTokensOnlyThisMachineGetsThePage() async throws {
    try await TestServer.run { server in
      let answer = try await server.send("GET", "/", ["Host": "example.org"])
      #expect(answer.status == 421)
    }
  }

  /// The browser would refuse what the policy forbids; here it is found with its file's name.
  @Test func noFileNeedsWhatThePolicyForbids() throws {
    for file in DashboardFile.all {
      let text = String(decoding: file.bytes, as: UTF8.self)
      let names = text.replacing("http://www.w3.org/2000/svg", with: "")
      #expect(!names.contains("http://") && !names.contains("https://") && !names.contains("//cdn"), "\(file.name)")
      for forbidden in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "@import", "url("] {
        #expect(!text.contains(forbidden), "\(file.name): \(forbidden)")
      }
      if file.name.hasSuffix(".html") {
        #expect(text.matches(of: /<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|javascript:/).isEmpty, "\(file.name)")
      }
    }
  }

  @Test func everyReferenceLeadsToAFile() throws {
    let names = Set(DashboardFile.all.map(\.name))
    var used: Set<String> = [DashboardFile.page]
    for file in DashboardFile.all {
      let text = String(decoding: file.bytes, as: UTF8.self)
      if file.name.hasSuffix(".js") {
        for match in text.matches(of: /(?m)^(?:import|export)[^;]*?\sfrom '([^']+)';/) {
          #expect(match.output.1.hasPrefix("./"), "\(file.name): \(match.output.1)")
          used.insert(String(match.output.1.dropFirst(2)))
        }
      } else if file.name.hasSuffix(".html") {
        for match in text.matches(of: /(?:src|href)="(?!#)([^"]+)"/) {
          #expect(match.output.1.hasPrefix("dashboard/"), "\(match.output.1)")
          used.insert(String(match.output.1.dropFirst("dashboard/".count)))
        }
      }
    }
    #expect(used == names, "differ: \(used.symmetricDifference(names).sorted())")
  }

  /// What a module imports, the other exports.
  @Test func everyImportedNameIsExported() throws {
    let texts = Dictionary(uniqueKeysWithValues: DashboardFile.all.map { ($0.name, String(decoding: $0.bytes, as: UTF8.self)) })
    var count = 0
    for (name, text) in texts where name.hasSuffix(".js") {
      for match in text.matches(of: /import \{([^}]+)\} from '.\/([^']+)'/) {
        let other = texts[String(match.output.2)] ?? ""
        let exported = other.matches(of: /export (?:async )?(?:const|function\*?|class) (\w+)/).map { String($0.output.1) }
        for imported in match.output.1.split(separator: ",").map({ $0.trimmingCharacters(in: .whitespacesAndNewlines) })
        where !imported.isEmpty {
          #expect(exported.contains(imported), "\(name): \(imported) of \(match.output.2)")
          count += 1
        }
      }
    }
    #expect(count > 80)
  }

  @Test func controlsOfThePageHaveLabels() throws {
    let page = String(decoding: try #require(DashboardFile.all.first { $0.name == DashboardFile.page }).bytes, as: UTF8.self)
    #expect(page.contains("<html lang=\"en\">") && page.contains("<main id=\"content\"") && page.contains("<nav aria-label="))
    for match in page.matches(of: /<(?:input|select|textarea)[^>]*\bid="([^"]+)"/) {
      #expect(page.contains("<label for=\"\(match.output.1)\""), "\(match.output.1)")
    }
    let identifiers = page.matches(of: /\bid="([^"]+)"/).map { String($0.output.1) }
    #expect(Set(identifiers).count == identifiers.count && identifiers.count > 4)
    let scripts = DashboardFile.all.filter { $0.name.hasSuffix(".js") }.map { String(decoding: $0.bytes, as: UTF8.self) }.joined()
    for match in scripts.matches(of: /getElementById\('([^']+)'\)/) { #expect(identifiers.contains(String(match.output.1))) }
  }
}
