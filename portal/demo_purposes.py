"""What the demo's mini-programs ask for details for, in every language of the portal."""

LANGUAGES = ("en", "zh-hans", "id", "fil", "ms", "th", "ar")
Words = dict[str, str]  # {language: text}


def said(*texts: str) -> Words:
    """One purpose, in the order of LANGUAGES."""
    return dict(zip(LANGUAGES, texts, strict=True))


ORDERS = {
    "auth_user": said(
        "To set up your account in one step",
        "用于一步完成账户开通",
        "Untuk membuat akun Anda dalam satu langkah",
        "Para mabuo ang account mo sa isang hakbang",
        "Untuk menyediakan akaun anda dalam satu langkah",
        "เพื่อสร้างบัญชีของคุณในขั้นตอนเดียว",
        "لإنشاء حسابك في خطوة واحدة",
    ),
    "SEND_MESSAGE": said(
        "To tell you when your order is ready",
        "用于在餐点做好时通知您",
        "Untuk memberi tahu saat pesanan Anda siap",
        "Para sabihan ka kapag handa na ang order mo",
        "Untuk memberitahu anda apabila pesanan anda siap",
        "เพื่อแจ้งให้คุณทราบเมื่อคำสั่งซื้อพร้อมแล้ว",
        "لإخبارك عندما يصبح طلبك جاهزًا",
    ),
    "USER_NICKNAME": said(
        "So the barista can call you",
        "方便咖啡师叫您取餐",
        "Supaya barista bisa memanggil Anda",
        "Para matawag ka ng barista",
        "Supaya barista boleh memanggil anda",
        "เพื่อให้บาริสต้าเรียกคุณได้",
        "ليتمكن معدّ القهوة من مناداتك",
    ),
    "USER_NAME": said(
        "To print your name on the receipt",
        "用于在小票上打印您的姓名",
        "Untuk mencetak nama Anda di struk",
        "Para mailagay ang pangalan mo sa resibo",
        "Untuk mencetak nama anda pada resit",
        "เพื่อพิมพ์ชื่อของคุณบนใบเสร็จ",
        "لطباعة اسمك على الإيصال",
    ),
    "USER_LOGIN_ID": said(
        "To show which account you ordered with",
        "用于显示您用哪个账户下的单",
        "Untuk menunjukkan akun mana yang Anda pakai memesan",
        "Para ipakita kung aling account ang ginamit mo sa pag-order",
        "Untuk menunjukkan akaun yang anda gunakan semasa membuat pesanan",
        "เพื่อแสดงว่าคุณสั่งซื้อด้วยบัญชีใด",
        "لإظهار الحساب الذي طلبت به",
    ),
    "PLAINTEXT_USER_LOGIN_ID": said(
        "To send your receipt",
        "用于给您发送收据",
        "Untuk mengirim struk Anda",
        "Para maipadala ang resibo mo",
        "Untuk menghantar resit anda",
        "เพื่อส่งใบเสร็จให้คุณ",
        "لإرسال إيصالك إليك",
    ),
    "HASH_LOGIN_ID": said(
        "To find the loyalty card you already have",
        "用于查找您已有的会员卡",
        "Untuk menemukan kartu pelanggan yang sudah Anda miliki",
        "Para mahanap ang loyalty card na mayroon ka na",
        "Untuk mencari kad kesetiaan yang sudah anda miliki",
        "เพื่อค้นหาบัตรสมาชิกที่คุณมีอยู่แล้ว",
        "للعثور على بطاقة الولاء التي لديك",
    ),
    "USER_AVATAR": said(
        "To show your picture on the pick-up screen",
        "用于在取餐屏上显示您的头像",
        "Untuk menampilkan foto Anda di layar pengambilan",
        "Para ipakita ang litrato mo sa pick-up screen",
        "Untuk memaparkan gambar anda pada skrin pengambilan",
        "เพื่อแสดงรูปของคุณบนหน้าจอรับสินค้า",
        "لعرض صورتك على شاشة الاستلام",
    ),
    "USER_GENDER": said(
        "To choose how we address you",
        "用于选择对您的称呼",
        "Untuk memilih sapaan yang tepat bagi Anda",
        "Para malaman kung paano ka tatawagin",
        "Untuk memilih cara kami menyapa anda",
        "เพื่อเลือกคำเรียกที่เหมาะกับคุณ",
        "لاختيار طريقة مخاطبتك",
    ),
    "USER_BIRTHDAY": said(
        "For a free cup on your birthday",
        "用于在您生日时送您一杯饮品",
        "Untuk secangkir gratis di hari ulang tahun Anda",
        "Para sa isang libreng tasa sa kaarawan mo",
        "Untuk secawan percuma pada hari jadi anda",
        "เพื่อมอบเครื่องดื่มฟรีหนึ่งแก้วในวันเกิดของคุณ",
        "لكوب مجاني في عيد ميلادك",
    ),
    "USER_NATIONALITY": said(
        "To pick the menu's language",
        "用于选择菜单的语言",
        "Untuk memilih bahasa menu",
        "Para piliin ang wika ng menu",
        "Untuk memilih bahasa menu",
        "เพื่อเลือกภาษาของเมนู",
        "لاختيار لغة القائمة",
    ),
    "USER_CONTACTINFO": said(
        "To reach you about an order",
        "用于就订单与您联系",
        "Untuk menghubungi Anda soal pesanan",
        "Para makontak ka tungkol sa isang order",
        "Untuk menghubungi anda tentang pesanan",
        "เพื่อติดต่อคุณเกี่ยวกับคำสั่งซื้อ",
        "للتواصل معك بشأن طلب",
    ),
    "USER_ADDRESS": said(
        "To deliver your order",
        "用于为您送餐",
        "Untuk mengantar pesanan Anda",
        "Para maihatid ang order mo",
        "Untuk menghantar pesanan anda",
        "เพื่อจัดส่งคำสั่งซื้อของคุณ",
        "لتوصيل طلبك",
    ),
    "PLAINTEXT_MOBILE_PHONE": said(
        "Only if the courier can't find you",
        "仅在配送员找不到您时使用",
        "Hanya jika kurir tidak menemukan Anda",
        "Kung hindi ka lang mahanap ng courier",
        "Hanya jika penghantar tidak dapat mencari anda",
        "ใช้เฉพาะเมื่อพนักงานส่งหาคุณไม่พบ",
        "فقط إذا لم يتمكن المندوب من العثور عليك",
    ),
}
