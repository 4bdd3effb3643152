import ArgumentParser
import Foundation
import StrictJSON

/// Who is told when a new job has ended.
package struct WebhookOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Address that is told when the job has ended; the server must allow its host.", valueName: "url"))
  var webhook: String?
  @Option(
    help: ArgumentHelp(
      "File with the secret that messages are signed with: whsec_ and base64. Not an option of its own: others see a command line.",
      valueName: "file"))
  var webhookSecretFile: String?

  package init() {}

  package func validate() throws {
    if (webhook == nil) != (webhookSecretFile == nil) { throw ValidationError("Give --webhook and --webhook-secret-file together.") }
  }

  var isEmpty: Bool { webhook == nil }

  /// nil where there is none.
  ///
  /// - Throws: `ClientError.file`.
  func value() throws -> JSONValue? {
    guard let webhook, let file = webhookSecretFile else { return nil }
    do {
      let secret = try String(contentsOf: URL(filePath: file), encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
      return ["url": .string(webhook), "secret": .string(secret)]
    } catch {
      throw ClientError.file(path: file, reason: error.localizedDescription)
    }
  }
}
