// swift-tools-version: 6.2
import PackageDescription

/// Target CPU of the numeric kernels. People build from source, so it is this machine's unless
/// `GPTQD_MARCH` says otherwise (`x86-64-v3` runs on any AVX2 machine).
let targetCPU = Context.environment["GPTQD_MARCH"] ?? "native"

/// Kernels hold the pointers (see README, "Layout"); everything else is checked for memory safety.
let kernel: [SwiftSetting] = [.unsafeFlags(["-Xcc", "-march=\(targetCPU)"])]
let safe: [SwiftSetting] = [.strictMemorySafety()]

/// `make mpi`: the library that passes messages between the processes of a job. Nothing else needs MPI.
let mpi = Context.environment["GPTQD_MPI"] == "1"
let mpiProducts: [Product] = mpi ? [.library(name: "gptqdmpi", type: .dynamic, targets: ["CMPIShim"])] : []
let mpiTargets: [Target] =
  mpi ? [.systemLibrary(name: "CMPI", pkgConfig: "ompi-c"), .target(name: "CMPIShim", dependencies: ["CMPI"])] : []

let package = Package(
  name: "gptqd",
  products: [
    .executable(name: "gptqd", targets: ["gptqd"]),
    .executable(name: "gptqctl", targets: ["gptqctl"]),
  ] + mpiProducts,
  dependencies: [
    .package(url: "https://github.com/hummingbird-project/hummingbird", exact: "2.28.1", traits: []),
    .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
    .package(
      url: "https://github.com/apple/swift-configuration", exact: "1.4.0",
      traits: ["YAML", "CommandLineArguments", "Logging"]),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-crypto", exact: "4.5.2"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
    .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
  ],
  targets: [
    .systemLibrary(name: "COpenBLAS", pkgConfig: "openblas"),
    .systemLibrary(name: "CPCRE2", pkgConfig: "libpcre2-8"),
    .systemLibrary(name: "CCurl"),

    .target(name: "StrictJSON", swiftSettings: safe),
    .target(name: "Ranks", swiftSettings: kernel),
    .target(name: "LinearAlgebra", dependencies: ["COpenBLAS"], swiftSettings: kernel),
    .target(name: "Checkpoint", dependencies: ["StrictJSON"], swiftSettings: kernel),
    .target(name: "Patterns", dependencies: ["CPCRE2"]),
    .target(name: "Tokenization", dependencies: ["StrictJSON", "Patterns"]),
    .target(
      name: "Transformer", dependencies: ["LinearAlgebra", "Checkpoint", "StrictJSON"], swiftSettings: kernel),
    .target(
      name: "Quantization",
      dependencies: [
        "LinearAlgebra", "Checkpoint", "Tokenization", "Transformer", "Patterns", "Ranks", "StrictJSON",
        .product(name: "Crypto", package: "swift-crypto"),
      ], swiftSettings: kernel),

    .target(name: "JobModel", dependencies: ["StrictJSON"], swiftSettings: safe),
    .target(
      name: "JobStore",
      dependencies: [
        "JobModel", "StrictJSON", .product(name: "GRDB", package: "GRDB.swift"),
      ],
      resources: [
        "0001_jobs", "0002_recovery", "0003_modules", "0004_interruptions", "0005_uploads", "0006_webhooks", "0008_metrics",
        "0009_submissions",
      ].map { .embedInCode("Migrations/\($0).sql") },
      swiftSettings: safe),
    .target(
      name: "JobRunner",
      dependencies: [
        "JobModel", "JobStore",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ], swiftSettings: safe),
    .target(
      name: "Cluster",
      dependencies: [
        "Checkpoint", "JobModel", "JobStore", "JobRunner", .product(name: "Logging", package: "swift-log"),
      ], swiftSettings: safe),
    .target(name: "Dashboard", resources: [.embedInCode("Files")], swiftSettings: safe),
    .target(
      name: "Service",
      dependencies: [
        "CCurl", "Cluster", "Dashboard", "JobModel", "JobStore", "JobRunner", "Quantization", "Transformer", "Tokenization", "Checkpoint",
        "LinearAlgebra", "Ranks", "StrictJSON",
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "HummingbirdCore", package: "hummingbird"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
        .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
        .product(name: "Configuration", package: "swift-configuration"),
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
        .product(name: "SystemPackage", package: "swift-system"),
        .product(name: "Yams", package: "Yams"),
      ], swiftSettings: safe),
    .executableTarget(
      name: "gptqd",
      dependencies: [
        "Service", "JobModel", .product(name: "Logging", package: "swift-log"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ], swiftSettings: safe),
    .executableTarget(
      name: "gptqctl",
      dependencies: [
        "JobModel", "StrictJSON",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Crypto", package: "swift-crypto"),
      ], swiftSettings: safe),
    .executableTarget(
      name: "gptqd-bench",
      dependencies: [
        "Quantization", "Transformer", "Tokenization", "LinearAlgebra", "Checkpoint", "Ranks", "StrictJSON",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ], path: "Sources/gptqd-bench", resources: [.embedInCode("Peers/gptqmodel.py"), .embedInCode("Peers/tokenizers.py")],
      swiftSettings: safe),

    .testTarget(name: "StrictJSONTests", dependencies: ["StrictJSON"]),
    .testTarget(name: "CheckpointTests", dependencies: ["Checkpoint", "StrictJSON"], swiftSettings: kernel),
    .testTarget(name: "LinearAlgebraTests", dependencies: ["LinearAlgebra"]),
    .testTarget(name: "JobModelTests", dependencies: ["JobModel", "StrictJSON"]),
    .testTarget(
      name: "JobStoreTests", dependencies: ["JobStore", "JobModel", .product(name: "GRDB", package: "GRDB.swift")]),
    .testTarget(
      name: "JobRunnerTests",
      dependencies: [
        "JobRunner", "JobStore", "JobModel", .product(name: "Logging", package: "swift-log"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
        .product(name: "ServiceLifecycleTestKit", package: "swift-service-lifecycle"),
      ]),
    .testTarget(
      name: "ClusterTests",
      dependencies: [
        "Cluster", "JobRunner", "JobStore", "JobModel", .product(name: "Logging", package: "swift-log"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
        .product(name: "ServiceLifecycleTestKit", package: "swift-service-lifecycle"),
      ]),
    .testTarget(
      name: "ServiceTests",
      dependencies: [
        "Dashboard", "Service", "JobModel", "JobStore", "JobRunner", "Checkpoint", "LinearAlgebra", "StrictJSON",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "ServiceLifecycleTestKit", package: "swift-service-lifecycle"),
        .product(name: "Crypto", package: "swift-crypto"), .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
      ]),
    .testTarget(
      name: "EndToEndTests",
      dependencies: [
        "gptqd", "Service", "gptqctl", "Quantization", "Checkpoint", "JobModel", "JobStore", "Ranks", "StrictJSON",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "ServiceLifecycleTestKit", package: "swift-service-lifecycle"),
        .product(name: "Crypto", package: "swift-crypto"),
      ], exclude: ["Hub/hub_client.py", "OpenAPI/hooks.py", "OpenAPI/schemathesis.toml"]),
    // Runs the daemon's own executable, and kills it.
    .testTarget(
      name: "TortureTests",
      dependencies: [
        "gptqd", "gptqctl", "Service", "JobModel", "JobStore", "Checkpoint", "Quantization", "Tokenization", "Transformer", "StrictJSON",
        .product(name: "Crypto", package: "swift-crypto"),
      ]),
    .testTarget(
      name: "gptqd-benchTests",
      dependencies: ["gptqd-bench", "Transformer", "Quantization", "Checkpoint", "LinearAlgebra", "StrictJSON"]),
    .testTarget(name: "gptqctlTests", dependencies: ["gptqctl", "JobModel"]),
    .testTarget(name: "PatternsTests", dependencies: ["Patterns"]),
    .testTarget(name: "TokenizationTests", dependencies: ["Tokenization", "StrictJSON"], exclude: ["Fixtures"]),
    .testTarget(
      name: "TransformerTests", dependencies: ["Transformer", "Checkpoint", "LinearAlgebra", "StrictJSON"], exclude: ["Fixtures"]),
    .testTarget(
      name: "QuantizationTests",
      dependencies: ["Quantization", "Transformer", "Tokenization", "Checkpoint", "LinearAlgebra", "Ranks", "StrictJSON"],
      exclude: ["Fixtures"]),
  ] + mpiTargets,
  swiftLanguageModes: [.v6]
)
