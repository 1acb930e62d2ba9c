"""An uploaded picture, made small, square and free of everything but its pixels."""

import io
import secrets
from typing import Any

from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile, File
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _
from PIL import Image, ImageOps

MAX_BYTES = 5 * 1024 * 1024
MAX_PIXELS = 36_000_000  # more in 5 MB is a decompression bomb, or nothing that 512 pixels need
SIDE = 512
FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
ACCEPT = "image/jpeg,image/png,image/webp,image/gif"


def square(upload: "UploadedFile[bytes]") -> "ContentFile[bytes]":
    """The middle of the picture as a JPEG of at most 512x512 under a random name, nothing kept but the pixels.

    Raises ValidationError, in words, for a file over 5 MB, one that is no picture, and one with too many pixels.
    """
    if (upload.size or 0) > MAX_BYTES:
        raise ValidationError(_("This file is larger than 5 MB. Choose a smaller picture."), code="too_large")
    try:
        image = Image.open(upload, formats=FORMATS)
        if image.width * image.height > MAX_PIXELS:  # from the header: not a pixel has been decoded yet
            raise _too_many_pixels()
        pixels = _small(image)
    except ValidationError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels() from error
    except Exception as error:  # Pillow raises many kinds for a broken file
        raise _not_a_picture() from error
    out = io.BytesIO()
    pixels.save(out, "JPEG", quality=88, optimize=True)
    return ContentFile(out.getvalue(), name=f"{secrets.token_urlsafe(16)}.jpg")


def drop(picture: "File[Any]") -> None:
    """Remove a stored picture that nobody shows any more."""
    picture.storage.delete(picture.name)  # type: ignore[attr-defined]


def _small(image: Image.Image) -> Image.Image:
    """The middle square of the first frame, upright, on white where it was transparent."""
    image.draft("RGB", (2 * SIDE, 2 * SIDE))  # a large JPEG is decoded at a fraction of the cost
    side = min(SIDE, *image.size)
    whole = image if image.mode in ("RGB", "RGBA") else image.convert("RGBA")
    middle = ImageOps.exif_transpose(ImageOps.fit(whole, (side, side))).convert("RGBA")
    page = Image.new("RGBA", middle.size, "white")
    page.alpha_composite(middle)
    return page.convert("RGB")


def _too_many_pixels() -> ValidationError:
    return ValidationError(_("This picture has too many pixels. Choose a smaller one."), code="too_many_pixels")


def _not_a_picture() -> ValidationError:
    return ValidationError(
        _("This is not a picture we can read. Choose a JPEG, PNG, WebP or GIF file."), code="not_a_picture"
    )
