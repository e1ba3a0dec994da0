"""What bounds the requests to one engine over the whole cluster: places, requests and tokens a minute, its circuit."""
