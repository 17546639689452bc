"""Pictures of frames, and transcoding, in processes of their own: codecs never see bytes in the server's process."""
