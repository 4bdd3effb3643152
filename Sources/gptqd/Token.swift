import ArgumentParser
import Foundation
import Service

struct Token: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Makes tokens for the API.", subcommands: [New.self])

  struct New: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Makes a token: prints it, and on standard error what the configuration needs. The token is kept nowhere.")

    @Argument(help: "Who or what it is for; shown in the daemon's log.") var name: String
    @Option(help: "read (GET and HEAD) or write (everything).") var scope = AccessToken.Scope.write

    func run() throws {
      do {
        let (text, token) = try AccessToken.make(name: name, scope: scope)
        print(text)
        let note = """
          The token is shown only here; clients send it as "Authorization: Bearer …", gptqctl takes it from GPTQD_TOKEN.
          For auth.tokens in the daemon's configuration, or GPTQD_AUTH_TOKENS:
            - "\(token.configurationLine)"

          """
        FileHandle.standardError.write(Data(note.utf8))
      } catch {
        throw ValidationError("NAME must be \(error)")
      }
    }
  }
}

extension AccessToken.Scope: ExpressibleByArgument {}
