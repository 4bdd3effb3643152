import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1

/// HTTP/1 as Hummingbird's `HTTP1Channel` sets it up, with limits on what one connection may hold, and a guard before the server.
struct GuardedChannel: ServerChildChannel, HTTPChannelHandler {
  typealias Value = NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>

  let responder: HTTPChannelHandler.Responder
  let limits: HTTPLimits
  let metrics: ServiceMetrics

  /// Most bytes of one read from a socket; a connection holds a few of them at a time.
  private static let readSize = 32 << 10
  private static let headerFieldLimit = 256
  /// Bytes that the system takes ahead of what TCP may send: the less, the sooner a reader that has stopped shows.
  private static let unsentLimit: ChannelOptions.Types.SocketOption.Value = 32 << 10
  /// Linux's TCP_NOTSENT_LOWAT.
  private static let unsentOption = NIOBSDSocket.Option(rawValue: 25)

  func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
    channel.eventLoop.makeCompletedFuture {
      try channel.syncOptions?.setOption(.maxMessagesPerRead, value: 1)
      try channel.syncOptions?.setOption(
        .recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 1024, initial: 2048, maximum: Self.readSize))
      try? channel.syncOptions?.setOption(.tcpOption(Self.unsentOption), value: Self.unsentLimit)
      let pipeline = channel.pipeline.syncOperations
      metrics.connectionOpened()
      channel.closeFuture.whenComplete { [metrics] _ in metrics.connectionClosed() }
      let meter = ByteMeter()
      try pipeline.addHandler(meter)
      var decoder = NIOHTTPDecoderLimitConfiguration()
      decoder.maxHeaderFieldSize = limits.headerBytes
      decoder.maxHeaderListSize = limits.headerBytes
      decoder.maxHeaderFieldCount = Self.headerFieldLimit
      try pipeline.configureHTTPServerPipeline(
        withPipeliningAssistance: false, withErrorHandling: false, withOutboundHeaderValidation: false, withEncoderConfiguration: .init(),
        withDecoderLimitConfiguration: decoder)
      try pipeline.addHandler(ConnectionGuard(limits: limits, meter: meter, metrics: metrics))
      try pipeline.addHandler(HTTP1ToHTTPServerCodec(secure: false))
      try pipeline.addHandler(HTTPConnectionStateHandler(idleTimeout: limits.idleTimeout, logger: logger))
      return try NIOAsyncChannel(
        wrappingChannelSynchronously: channel,
        configuration: .init(backPressureStrategy: .init(lowWatermark: 1, highWatermark: 3), isOutboundHalfClosureEnabled: true))
    }
  }

  func handle(value asyncChannel: Value, logger: Logger) async { await handleHTTP(asyncChannel: asyncChannel, logger: logger) }
}

extension HTTPServerBuilder {
  /// HTTP/1 for clients that nobody trusts.
  static func guarded(_ limits: HTTPLimits, metrics: ServiceMetrics) -> HTTPServerBuilder {
    HTTPServerBuilder { responder in GuardedChannel(responder: responder, limits: limits, metrics: metrics) }
  }
}
