import Foundation
import Service
import Testing

@Suite struct AccessTokenTests {
  private static let zeros = String(repeating: "0", count: 64)

  private func read(_ tokens: String) async throws -> ServiceConfiguration {
    let folder = try TemporaryFolder()
    let file = try folder.write("gptqd.yaml", Data("auth: {tokens: \(tokens)}".utf8))
    return try await ServiceConfiguration(file: file.path, environment: ["HOME": folder.url.path])
  }

  @Test func aNewTokenIsReadBackFromItsLine() async throws {
    for scope in AccessToken.Scope.allCases {
      let (text, token) = try AccessToken.make(name: "some-one.1", scope: scope)
      #expect(text.wholeMatch(of: /gptqd_[A-Za-z0-9_-]{43}/) != nil)
      #expect(!token.configurationLine.contains(text))
      #expect(token.configurationLine.hasSuffix(":" + FakeEngine.sha256(Data(text.utf8))))
      #expect(try await read("\"\(token.configurationLine)\"").tokens == [token])
      #expect(
        try await read("[\"\(token.configurationLine.uppercased().replacing(/^[^:]*:[^:]*/, with: "some-one.1:\(scope.rawValue)"))\"]")
          .tokens == [token])
    }
    #expect(try AccessToken.make(name: "a", scope: .read).text != AccessToken.make(name: "a", scope: .read).text)
  }

  @Test(arguments: ["", " ", "a b", "-a", "a:b", "é", "a\n", String(repeating: "a", count: 33), zeros])
  func otherNamesAreRefused(name: String) throws {
    #expect(throws: AccessToken.InvalidName.self) { try AccessToken.make(name: name, scope: .read) }
  }

  @Test func listsAndLinesAreRead() async throws {
    let ones = String(repeating: "1", count: 64)
    let names = ["a", "b"]
    #expect(try await read("[\"a:read:\(Self.zeros)\", \"b:write:\(ones)\"]").tokens.map(\.name) == names)
    #expect(try await read("\"a:read:\(Self.zeros), b:write:\(ones)\"").tokens.map(\.name) == names)
    #expect(try await read("\"\"").tokens.isEmpty)
  }

  /// Nothing of an entry but a proper name may be shown: whoever mixes up its parts writes a secret there.
  @Test(arguments: [
    ("secret", "entry 1 ", "NAME:SCOPE:SHA256"), ("secret:read", "entry 1 ", "NAME:SCOPE:SHA256"),
    ("a:read:\(zeros):secret", "entry 1 ", "NAME:SCOPE:SHA256"), ("\(zeros):read:a", "entry 1 ", "must begin with a name"),
    ("a:admin:\(zeros)", "named a,", "scope read or write"), ("a:READ:\(zeros)", "named a,", "scope read or write"),
    ("a:read:secret", "named a,", "64 hexadecimal digits"), ("a:read:\(zeros)00", "named a,", "64 hexadecimal digits"),
    ("a:read:0\(zeros.dropFirst(2))g", "named a,", "64 hexadecimal digits"), ("a:read:", "named a,", "64 hexadecimal digits"),
    ("a:read:\(zeros),a:write:\(String(repeating: "1", count: 64))", "entry 2 ", "the name of an earlier one"),
    ("a:read:\(zeros),b:write:\(zeros)", "named b,", "the same token"),
  ])
  func badEntriesAreNamedAndNotShown(tokens: String, place: String, reason: String) async throws {
    let error = await #expect(throws: ConfigurationError.self) { try await read("\"\(tokens)\"") }
    let message = error?.description ?? ""
    #expect(message.contains(place) && message.contains(reason), "\(message)")
    #expect(!message.contains("secret") && !message.contains("0000"), "\(message)")
  }

  @Test func aBrokenFileDoesntShowItsTokens() async throws {
    let error = await #expect(throws: ConfigurationError.self) { try await read("[\"a:read:\(Self.zeros)\", \"b") }
    #expect(error?.description.contains("0000") == false)
  }
}
