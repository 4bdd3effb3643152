import ArgumentParser
import Service

/// The daemon's command line.
@main
struct GPTQD: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gptqd", abstract: "Quantizes models with GPTQ, as a service over HTTP.", version: Daemon.version,
    subcommands: [Serve.self, Check.self, Verify.self, Token.self, Worker.self])
}

/// Where the configuration is.
struct ConfigurationFile: ParsableArguments {
  @Option(name: .customLong("config"), help: "YAML file; \(ServiceConfiguration.defaultFile) if it is there.")
  var path: String?
}
